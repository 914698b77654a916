output "repository" {
  description = "Where images go: the first part of their name."
  value       = local.repository
}

output "input" {
  description = "What a scheduled run reads."
  value       = "${local.data_url}/${local.input}"
}

output "tables" {
  description = "Folder of the tables that scheduled runs write."
  value       = local.tables_url
}

output "live" {
  description = "Folder that the stream writes."
  value       = local.live_url
}

output "topic" {
  description = "Topic that articles are published to for the stream."
  value       = google_pubsub_topic.news.id
}

output "unread" {
  description = "Subscription that holds the messages that the stream could not read."
  value       = google_pubsub_subscription.unread.id
}

output "dataset" {
  description = "Dataset of the views articles, stories and wiped_out_sources."
  value       = google_bigquery_dataset.news.dataset_id
}

output "workflow" {
  description = "Workflow that launches a run; null until there is an image."
  value       = one(google_workflows_workflow.run[*].name)
}
