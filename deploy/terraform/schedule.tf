# What starts at every full hour is a workflow, not a job: it looks whether one is running,
# names the run after the hour, waits for its end, and says what came of it.
resource "google_workflows_workflow" "run" {
  count = local.has_image ? 1 : 0

  name            = "${var.prefix}-run"
  region          = var.region
  description     = "Launches a run that adds, if none is at work, and sees it through."
  service_account = google_service_account.launcher.email
  source_contents = file("${path.module}/../workflow.yaml")
  # The workflow keeps nothing that deleting it could lose.
  deletion_protection = false

  user_env_vars = {
    PROJECT              = var.project
    REGION               = var.region
    JOB_PREFIX           = local.job_prefix
    MINUTES_BETWEEN_RUNS = tostring(var.minutes_between_runs)
    TEMPLATE             = "${local.work_url}/${google_storage_bucket_object.template["batch"].name}"
    PARAMETERS = jsonencode(merge(
      var.batch_parameters,
      {
        input       = "${local.data_url}/${local.input}"
        output      = local.tables_url
        incremental = "true"
      },
      # Stories keep the ids that the stream has given them.
      var.streaming ? { keep_ids = local.live_url } : {},
    ))
    IMAGE              = local.image
    WORKER             = google_service_account.worker.email
    MACHINE_TYPE       = var.batch_machine_type
    MAX_WORKERS        = tostring(var.batch_max_workers)
    STAGING            = local.staging_url
    TEMP               = local.temp_url
    DATASET            = google_bigquery_dataset.news.dataset_id
    MAX_REJECTED_SHARE = tostring(var.max_rejected_share)
  }
}

resource "google_cloud_scheduler_job" "run" {
  count = local.has_image ? 1 : 0

  name        = "${var.prefix}-run"
  region      = var.region
  description = "Starts the workflow that launches a run."
  schedule    = var.minutes_between_runs == 60 ? "0 * * * *" : "*/${var.minutes_between_runs} * * * *"
  time_zone   = "Etc/UTC"

  retry_config {
    # Within the same slot: the run is called the same, and cannot be launched twice.
    retry_count          = 3
    min_backoff_duration = "10s"
    max_backoff_duration = "60s"
  }

  http_target {
    http_method = "POST"
    uri         = "https://workflowexecutions.googleapis.com/v1/${google_workflows_workflow.run[0].id}/executions"
    body        = base64encode(jsonencode({ callLogLevel = "LOG_ERRORS_ONLY" }))

    headers = {
      "Content-Type" = "application/json"
    }

    oauth_token {
      service_account_email = google_service_account.scheduler.email
    }
  }

  depends_on = [google_project_iam_member.scheduler_invokes]
}

locals {
  # Jobs of scheduled runs are called <job_prefix>-<time>; the guard knows them by it.
  job_prefix = "${var.prefix}-run"
  # With a stream, what it received is what a run reads.
  input = var.streaming ? "${local.live}/raw/*" : var.input
}
