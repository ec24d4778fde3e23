"""What can be done with data sets."""

from vision_api.datasets.resolving import ResolvedDataset, resolve_for_job

__all__ = ["ResolvedDataset", "resolve_for_job"]
