"""Results of a job: metrics, logs, artifacts, reports."""
