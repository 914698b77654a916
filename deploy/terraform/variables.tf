variable "project" {
  type        = string
  description = "Id of the Google Cloud project that everything is made in."

  validation {
    condition     = can(regex("^[a-z][-a-z0-9]{4,28}[a-z0-9]$", var.project))
    error_message = "A project id has 6 to 30 small letters, digits and hyphens."
  }
}

variable "region" {
  type        = string
  description = "Where buckets, jobs, images and tables are: europe-west4, us-central1, ..."

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "A region is called as europe-west4 is, without the letter of a zone."
  }
}

variable "prefix" {
  type        = string
  description = "Begins the name of everything that is made."
  default     = "newsdedup"

  validation {
    condition     = can(regex("^[a-z][-a-z0-9]{2,17}$", var.prefix))
    error_message = "A prefix has 3 to 18 small letters, digits and hyphens."
  }
}

variable "image_digest" {
  type        = string
  description = "Digest of the image for launcher and workers, as the build prints it. Empty at first, when there is a registry to be made and no image: then there are no jobs."
  default     = ""

  validation {
    condition     = can(regex("^(sha256:[0-9a-f]{64})?$", var.image_digest))
    error_message = "A digest is sha256: and 64 hexadecimal digits; a tag can be moved."
  }
}

variable "minutes_between_runs" {
  type        = number
  description = "Minutes from one scheduled run to the next, on the clock: 60 is every full hour."
  default     = 60

  validation {
    condition     = contains([10, 15, 20, 30, 60], var.minutes_between_runs)
    error_message = "Runs are 10, 15, 20, 30 or 60 minutes apart."
  }
}

variable "input" {
  type        = string
  description = "What a scheduled run reads, below the data bucket. With a stream: what that received."
  default     = "incoming/**"

  validation {
    condition     = !startswith(var.input, "gs://") && !startswith(var.input, "/")
    error_message = "The input is a pattern within the data bucket, such as incoming/*.jsonl."
  }
}

variable "batch_parameters" {
  type        = map(string)
  description = "Further parameters of the scheduled run, as deploy/templates/batch.json names them."
  default     = {}

  validation {
    condition = length(setintersection(
      keys(var.batch_parameters), ["input", "output", "incremental", "run_id", "keep_ids"]
    )) == 0
    error_message = "Input, output, incremental, run_id and keep_ids are set by the schedule itself."
  }
}

variable "batch_machine_type" {
  type        = string
  description = "Machine of the workers of a scheduled run. Some stages need all fingerprints in one place, so memory counts."
  default     = "n2-highmem-4"
}

variable "batch_max_workers" {
  type        = number
  description = "Workers that a scheduled run may have at most."
  default     = 8

  validation {
    condition     = var.batch_max_workers >= 1 && floor(var.batch_max_workers) == var.batch_max_workers
    error_message = "A job has 1 worker at least."
  }
}

variable "streaming" {
  type        = bool
  description = "Whether a stream runs beside the schedule."
  default     = false
}

variable "stream_parameters" {
  type        = map(string)
  description = "Further parameters of the stream, as deploy/templates/stream.json names them."
  default     = {}

  validation {
    condition = length(setintersection(
      keys(var.stream_parameters), ["subscription", "output", "dead_letter"]
    )) == 0
    error_message = "Subscription, output and dead_letter are those that are made here."
  }
}

variable "stream_machine_type" {
  type        = string
  description = "Machine of the workers of the stream."
  default     = "n2-highmem-2"
}

variable "stream_max_workers" {
  type        = number
  description = "Workers that the stream may have at most. A language is placed by one of them."
  default     = 2

  validation {
    condition     = var.stream_max_workers >= 1 && floor(var.stream_max_workers) == var.stream_max_workers
    error_message = "A job has 1 worker at least."
  }
}

variable "rollback_days" {
  type        = number
  description = "Days that files are kept which a later run replaced: how far one can roll back."
  default     = 14

  validation {
    condition     = var.rollback_days >= 1 && var.rollback_days <= 365
    error_message = "Replaced files are kept for 1 to 365 days."
  }
}

variable "alert_email" {
  type        = string
  description = "Who is told when something is wrong."

  validation {
    condition     = can(regex("^[^@\\s]+@[^@\\s]+$", var.alert_email))
    error_message = "This must be an address of electronic mail."
  }
}

variable "max_rejected_share" {
  type        = number
  description = "Share of the rows read, 0 to 1, above which rejects are told of."
  default     = 0.1

  validation {
    condition     = var.max_rejected_share > 0 && var.max_rejected_share < 1
    error_message = "A share lies between 0 and 1."
  }
}

variable "max_backlog_minutes" {
  type        = number
  description = "Minutes that a message may wait for the stream before that is told of."
  default     = 30

  validation {
    condition     = var.max_backlog_minutes >= 1
    error_message = "A message may wait for 1 minute at least."
  }
}
