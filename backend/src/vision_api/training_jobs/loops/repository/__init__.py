"""Statements of the loops: jobs and their leases, outputs of attempts, removal of what is no longer needed."""
