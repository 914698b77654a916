resource "google_bigquery_dataset" "news" {
  dataset_id  = replace(var.prefix, "-", "_")
  location    = var.region
  description = "Articles and stories, as the last complete run left them."

  depends_on = [google_project_service.used]
}

# BigQuery takes the columns of Parquet from Parquet alone: these files have them and no row,
# so that the tables can be made before the first run has written any.
resource "google_storage_bucket_object" "columns" {
  for_each = toset(["articles", "stories"])

  bucket = google_storage_bucket.work.name
  name   = "columns/${each.key}-${filemd5("${path.module}/../bigquery/${each.key}.parquet")}.parquet"
  source = "${path.module}/../bigquery/${each.key}.parquet"
}

# The Parquet files of a table, where they lie: those in force, and for the moment in which
# a run is put in force those before it, too. Ask the views below instead.
resource "google_bigquery_table" "files" {
  for_each = toset(["articles", "stories"])

  dataset_id          = google_bigquery_dataset.news.dataset_id
  table_id            = "${each.key}_files"
  deletion_protection = false

  external_data_configuration {
    autodetect                = true
    source_format             = "PARQUET"
    source_uris               = ["${local.tables_url}/${each.key}/*.parquet"]
    reference_file_schema_uri = "${local.work_url}/${google_storage_bucket_object.columns[each.key].name}"

    parquet_options {
      enable_list_inference = true
    }
  }
}

# The manifest, line by line: it names the files in force, one on a line.
resource "google_bigquery_table" "manifest" {
  dataset_id          = google_bigquery_dataset.news.dataset_id
  table_id            = "manifest_lines"
  deletion_protection = false

  external_data_configuration {
    autodetect    = false
    source_format = "CSV"
    source_uris   = ["${local.tables_url}/manifest.json"]
    schema        = jsonencode([{ name = "line", type = "STRING", mode = "NULLABLE" }])

    csv_options {
      # Two characters that stand in no manifest: a line is one field.
      field_delimiter = "\u0001"
      quote           = ""
    }
  }
}

resource "google_bigquery_table" "view" {
  for_each = toset(["articles", "stories"])

  dataset_id          = google_bigquery_dataset.news.dataset_id
  table_id            = each.key
  description         = "Each live row once, of the files that the manifest names."
  deletion_protection = false

  view {
    use_legacy_sql = false
    query = templatefile("${path.module}/../bigquery/live.sql", {
      dataset = google_bigquery_dataset.news.dataset_id
      folder  = local.tables_url
      table   = each.key
    })
  }

  depends_on = [google_bigquery_table.files, google_bigquery_table.manifest]
}

resource "google_bigquery_table" "wiped_out_sources" {
  dataset_id          = google_bigquery_dataset.news.dataset_id
  table_id            = "wiped_out_sources"
  description         = "Sources of which a run took nearly all words for furniture."
  deletion_protection = false

  view {
    use_legacy_sql = false
    query = templatefile("${path.module}/../bigquery/wiped_out_sources.sql", {
      dataset = google_bigquery_dataset.news.dataset_id
    })
  }

  depends_on = [google_bigquery_table.view]
}
