# A change of image or parameters updates the running job in place, if Dataflow finds that
# the stages are those that it knows; deploy/README.md says what to do where they are not.
resource "google_dataflow_flex_template_job" "stream" {
  provider = google-beta
  count    = local.has_image && var.streaming ? 1 : 0

  name                    = "${var.prefix}-stream"
  region                  = var.region
  container_spec_gcs_path = "${local.work_url}/${google_storage_bucket_object.template["stream"].name}"
  # What has been taken is placed and written before the job ends.
  on_delete = "drain"

  parameters = merge(
    var.stream_parameters,
    {
      subscription = google_pubsub_subscription.news.id
      output       = local.live_url
      dead_letter  = google_pubsub_topic.unread.id
    },
  )

  enable_streaming_engine = true
  sdk_container_image     = local.image
  service_account_email   = google_service_account.worker.email
  machine_type            = var.stream_machine_type
  max_workers             = var.stream_max_workers
  staging_location        = local.staging_url
  temp_location           = local.temp_url

  depends_on = [
    google_artifact_registry_repository_iam_member.worker_pulls,
    google_project_iam_member.worker_works,
    google_pubsub_subscription_iam_member.worker_takes,
    google_pubsub_topic_iam_member.worker_sends_on,
    google_storage_bucket_iam_member.worker_uses,
  ]
}
