# Three accounts. The scheduler may start the workflow and nothing else. The workflow, as
# launcher, may start a job as the worker, look at jobs, and ask the tables. The worker may
# read and write the two buckets, take messages, and send those on that it cannot read.

resource "google_service_account" "scheduler" {
  account_id   = "${var.prefix}-scheduler"
  display_name = "newsdedup: starts the workflow"

  depends_on = [google_project_service.used]
}

resource "google_service_account" "launcher" {
  account_id   = "${var.prefix}-launcher"
  display_name = "newsdedup: launches jobs and looks after them"

  depends_on = [google_project_service.used]
}

resource "google_service_account" "worker" {
  account_id   = "${var.prefix}-worker"
  display_name = "newsdedup: what jobs run as"

  depends_on = [google_project_service.used]
}

# A single workflow has no bindings of its own.
resource "google_project_iam_member" "scheduler_invokes" {
  project = var.project
  role    = "roles/workflows.invoker"
  member  = google_service_account.scheduler.member
}

# roles/dataflow.developer would let it cancel and update every job of the project as well.
resource "google_project_iam_custom_role" "launches" {
  role_id     = "${replace(var.prefix, "-", "_")}_launcher"
  title       = "newsdedup launcher"
  description = "Launch jobs of Dataflow and look at them."
  permissions = [
    "dataflow.jobs.create",
    "dataflow.jobs.get",
    "dataflow.jobs.list",
    "dataflow.metrics.get",
  ]
}

resource "google_project_iam_member" "launcher_launches" {
  project = var.project
  role    = google_project_iam_custom_role.launches.id
  member  = google_service_account.launcher.member
}

resource "google_service_account_iam_member" "launcher_acts_as_worker" {
  service_account_id = google_service_account.worker.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.launcher.member
}

resource "google_storage_bucket_iam_member" "launcher_reads_templates" {
  bucket = google_storage_bucket.work.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.launcher.member
}

resource "google_project_iam_member" "launcher_logs" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.launcher.member
}

# After each run it asks which sources lost their text. A table outside of BigQuery needs
# both: the right to the table, and to its files.
resource "google_project_iam_member" "launcher_queries" {
  project = var.project
  role    = "roles/bigquery.jobUser"
  member  = google_service_account.launcher.member
}

resource "google_bigquery_dataset_iam_member" "launcher_reads_tables" {
  dataset_id = google_bigquery_dataset.news.dataset_id
  role       = "roles/bigquery.dataViewer"
  member     = google_service_account.launcher.member
}

resource "google_storage_bucket_iam_member" "launcher_reads_files" {
  bucket = google_storage_bucket.data.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.launcher.member
}

# Who finds what a job left in its staging folder asks whether that job is still there.
resource "google_project_iam_custom_role" "asks" {
  role_id     = "${replace(var.prefix, "-", "_")}_asker"
  title       = "newsdedup asker"
  description = "See which jobs of Dataflow there are."
  permissions = ["dataflow.jobs.list"]
}

resource "google_project_iam_member" "worker_asks" {
  project = var.project
  role    = google_project_iam_custom_role.asks.id
  member  = google_service_account.worker.member
}

resource "google_project_iam_member" "worker_works" {
  project = var.project
  role    = "roles/dataflow.worker"
  member  = google_service_account.worker.member
}

resource "google_storage_bucket_iam_member" "worker_uses" {
  for_each = {
    data = google_storage_bucket.data.name
    work = google_storage_bucket.work.name
  }

  bucket = each.value
  role   = "roles/storage.objectUser"
  member = google_service_account.worker.member
}

resource "google_artifact_registry_repository_iam_member" "worker_pulls" {
  repository = google_artifact_registry_repository.images.name
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.worker.member
}

# Dataflow looks at a subscription before it takes messages from it.
resource "google_pubsub_subscription_iam_member" "worker_takes" {
  for_each = toset(["roles/pubsub.subscriber", "roles/pubsub.viewer"])

  subscription = google_pubsub_subscription.news.name
  role         = each.key
  member       = google_service_account.worker.member
}

resource "google_pubsub_topic_iam_member" "worker_sends_on" {
  for_each = toset(["roles/pubsub.publisher", "roles/pubsub.viewer"])

  topic  = google_pubsub_topic.unread.name
  role   = each.key
  member = google_service_account.worker.member
}
