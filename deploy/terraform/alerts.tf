resource "google_monitoring_notification_channel" "email" {
  display_name = "newsdedup"
  type         = "email"

  labels = {
    email_address = var.alert_email
  }

  depends_on = [google_project_service.used]
}

locals {
  # What the workflow logs of a run, by what is wrong with it: workflow.yaml says `event`.
  events = {
    rejects = {
      title  = "newsdedup: a run rejected many rows"
      advice = "Look at the rejects of the run: gs://.../tables/rejects/ names file, position and reason of each."
      labels = { rejected = "EXTRACT(jsonPayload.rejected)", rows_read = "EXTRACT(jsonPayload.rows_read)" }
    }
    wiped_out = {
      title  = "newsdedup: a source lost its text"
      advice = "Nearly all words of the source were taken for furniture. The table boilerplate/ of the run tells which lines."
      labels = { source = "EXTRACT(jsonPayload.source)", articles = "EXTRACT(jsonPayload.articles)" }
    }
  }
}

# A run fails in many ways, and before there is a job in some of them. The workflow waits for
# its end, so whatever goes wrong is a failed execution.
resource "google_monitoring_alert_policy" "failed_run" {
  count = local.has_image ? 1 : 0

  display_name          = "newsdedup: a run failed"
  combiner              = "OR"
  notification_channels = [google_monitoring_notification_channel.email.id]

  conditions {
    display_name = "An execution of the workflow failed"

    condition_threshold {
      filter = join(" AND ", [
        "resource.type = \"workflows.googleapis.com/Workflow\"",
        "resource.labels.workflow_id = \"${google_workflows_workflow.run[0].name}\"",
        "metric.type = \"workflows.googleapis.com/finished_execution_count\"",
        "metric.labels.status = \"FAILED\"",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_DELTA"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  documentation {
    content = "What was in force is in force still. The execution of the workflow says why, or names the job whose log does. The next run takes the same files; if it is refused, for the folder _staging-* of a job that has died, delete that folder."
  }
}

resource "google_monitoring_alert_policy" "event" {
  for_each = local.events

  display_name          = each.value.title
  combiner              = "OR"
  notification_channels = [google_monitoring_notification_channel.email.id]

  conditions {
    display_name = "The workflow says so"

    condition_matched_log {
      filter           = "resource.type = \"workflows.googleapis.com/Workflow\" AND jsonPayload.event = \"${each.key}\""
      label_extractors = each.value.labels
    }
  }

  alert_strategy {
    # A source that stays broken is told of once an hour.
    notification_rate_limit {
      period = "3600s"
    }
  }

  documentation {
    content = each.value.advice
  }

  depends_on = [google_project_service.used]
}

resource "google_monitoring_alert_policy" "failed_stream" {
  count = var.streaming ? 1 : 0

  display_name          = "newsdedup: the stream failed"
  combiner              = "OR"
  notification_channels = [google_monitoring_notification_channel.email.id]

  conditions {
    display_name = "The job has failed"

    condition_threshold {
      filter = join(" AND ", [
        "resource.type = \"dataflow_job\"",
        "resource.labels.job_name = starts_with(\"${var.prefix}-stream\")",
        "metric.type = \"dataflow.googleapis.com/job/is_failed\"",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content = "What was not acknowledged waits in the subscription for seven days. Start the job anew: it reads the windows of its lookback from the live folder."
  }
}

resource "google_monitoring_alert_policy" "backlog" {
  count = var.streaming ? 1 : 0

  display_name          = "newsdedup: articles wait for the stream"
  combiner              = "OR"
  notification_channels = [google_monitoring_notification_channel.email.id]

  conditions {
    display_name = "The oldest message is old"

    condition_threshold {
      filter = join(" AND ", [
        "resource.type = \"pubsub_subscription\"",
        "resource.labels.subscription_id = \"${google_pubsub_subscription.news.name}\"",
        "metric.type = \"pubsub.googleapis.com/subscription/oldest_unacked_message_age\"",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = 60 * var.max_backlog_minutes
      duration        = "300s"

      aggregations {
        alignment_period   = "60s"
        per_series_aligner = "ALIGN_MAX"
      }
    }
  }

  documentation {
    content = "The stream is down, or more comes than it places. Look at its log, then at stream_max_workers and stream_machine_type."
  }
}

# What a stream counts goes on as long as the job does, so what counts is what was added.
resource "google_monitoring_alert_policy" "stream_rejects" {
  count = var.streaming ? 1 : 0

  display_name          = "newsdedup: the stream rejects many messages"
  combiner              = "OR"
  notification_channels = [google_monitoring_notification_channel.email.id]

  conditions {
    display_name = "Share of rejects within an hour"

    condition_prometheus_query_language {
      query = join(" ", [
        "sum(delta(${format(local.counter, "rejected")}[1h]))",
        "> ${var.max_rejected_share} * (",
        "sum(delta(${format(local.counter, "placed")}[1h]))",
        "+ sum(delta(${format(local.counter, "repeated")}[1h]))",
        "+ sum(delta(${format(local.counter, "rejected")}[1h])))",
      ])
      duration            = "600s"
      evaluation_interval = "300s"
    }
  }

  documentation {
    content = "The subscription of unread messages holds them, each with its reason in its attributes."
  }
}

locals {
  # A counter of the stream, as Beam's metrics are called in Monitoring.
  counter = "dataflow_googleapis_com:job_user_counter{monitored_resource=\"dataflow_job\",job_name=~\"${var.prefix}-stream.*\",metric_name=\"%s\"}"
}
