resource "google_bigquery_dataset" "news" {
  dataset_id  = replace(var.prefix, "-", "_")
  location    = var.region
  description = "Articles and stories, as the last complete run left them."

  depends_on = [google_project_service.used]
}

# The Parquet files of a table, where they lie: those in force, and for the moment in which
# a run is put in force those before it, too. Ask the views below instead.
resource "google_bigquery_table" "files" {
  for_each = toset(["articles", "stories"])

  dataset_id          = google_bigquery_dataset.news.dataset_id
  table_id            = "${each.key}_files"
  deletion_protection = false
  # Given, so that the table can be made before the first run has written a file.
  schema = file("${path.module}/../bigquery/${each.key}.json")

  external_data_configuration {
    autodetect    = false
    source_format = "PARQUET"
    source_uris   = ["${local.tables_url}/${each.key}/*.parquet"]

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
  schema = jsonencode([
    { name = "line", type = "STRING", mode = "NULLABLE" },
  ])

  external_data_configuration {
    autodetect    = false
    source_format = "CSV"
    source_uris   = ["${local.tables_url}/manifest.json"]

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
