resource "google_pubsub_topic" "news" {
  name = "${var.prefix}-news"

  depends_on = [google_project_service.used]
}

# What a stream cannot read is sent on by the stream itself (--dead-letter), with the reason
# beside it. Pub/Sub's own dead letter policy counts deliveries instead, and a job of
# Dataflow takes a message that is no article once and acknowledges it: it would never act
# but on good messages, when a job is in trouble. So the subscription has none.
resource "google_pubsub_topic" "unread" {
  name = "${var.prefix}-unread"

  depends_on = [google_project_service.used]
}

resource "google_pubsub_subscription" "news" {
  name  = "${var.prefix}-news"
  topic = google_pubsub_topic.news.id

  ack_deadline_seconds = 600
  # How long a stream may be down without a loss.
  message_retention_duration = "604800s"

  expiration_policy {
    # Never, though nobody should pull for a month.
    ttl = ""
  }
}

# Without a subscription a topic keeps nothing.
resource "google_pubsub_subscription" "unread" {
  name  = "${var.prefix}-unread"
  topic = google_pubsub_topic.unread.id

  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }
}
