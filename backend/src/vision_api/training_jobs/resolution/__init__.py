"""Resolution of a request for a job: defaults, weights and data set, checked before a row is written."""
