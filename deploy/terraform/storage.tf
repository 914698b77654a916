# What is read and what is written. Nothing here expires but what a later run replaced.
#
# Versioning is on, for a run that is complete deletes the files that it replaced: older
# versions are the only way back. Soft deletion would keep, and bill, all of that twice.
resource "google_storage_bucket" "data" {
  name                        = "${var.project}-${var.prefix}-data"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  versioning {
    enabled = true
  }

  soft_delete_policy {
    retention_duration_seconds = 0
  }

  lifecycle_rule {
    condition {
      days_since_noncurrent_time = var.rollback_days
    }
    action {
      type = "Delete"
    }
  }

  # Texts wait here while a run goes on, some five times its input. Once they are deleted
  # nobody wants them back.
  lifecycle_rule {
    condition {
      days_since_noncurrent_time = 1
      matches_prefix             = ["${local.tables}/_staging-", "${local.live}/_staging-"]
    }
    action {
      type = "Delete"
    }
  }

  depends_on = [google_project_service.used]
}

# What jobs need to start and to run: templates stay, the rest expires.
resource "google_storage_bucket" "work" {
  name                        = "${var.project}-${var.prefix}-work"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  # Nothing in it cannot be made again.
  force_destroy = true

  soft_delete_policy {
    retention_duration_seconds = 0
  }

  # A stream reads what was staged when it began for as long as it runs, so that is kept
  # longer than any update is put off.
  lifecycle_rule {
    condition {
      age            = 180
      matches_prefix = ["staging/"]
    }
    action {
      type = "Delete"
    }
  }

  lifecycle_rule {
    condition {
      age            = 7
      matches_prefix = ["temp/"]
    }
    action {
      type = "Delete"
    }
  }

  depends_on = [google_project_service.used]
}

locals {
  # Folders of the data bucket: of scheduled runs, and of the stream.
  tables = "tables"
  live   = "live"

  data_url    = "gs://${google_storage_bucket.data.name}"
  tables_url  = "${local.data_url}/${local.tables}"
  live_url    = "${local.data_url}/${local.live}"
  work_url    = "gs://${google_storage_bucket.work.name}"
  staging_url = "${local.work_url}/staging"
  temp_url    = "${local.work_url}/temp"
}

# The specification of a template is its image and its metadata; this is what
# `gcloud dataflow flex-template build` writes.
resource "google_storage_bucket_object" "template" {
  for_each = local.has_image ? toset(["batch", "stream"]) : toset([])

  bucket       = google_storage_bucket.work.name
  name         = "templates/${each.key}-${substr(var.image_digest, 7, 12)}.json"
  content_type = "application/json"
  content = jsonencode({
    image    = local.image
    sdkInfo  = { language = "PYTHON" }
    metadata = jsondecode(file("${path.module}/../templates/${each.key}.json"))
  })
}
