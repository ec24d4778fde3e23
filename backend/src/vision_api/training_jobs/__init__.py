"""Training jobs, which users call experiments: from a `pending` row to results."""
