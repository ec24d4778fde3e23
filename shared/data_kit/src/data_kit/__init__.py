"""Data sets and object storage, read the same way by the backend and by every trainer."""

from data_kit.dataset import Box, Dataset, Instance, Keypoint, Polygon, Sample, Split
from data_kit.errors import DatasetError, Finding

__all__ = ["Box", "Dataset", "DatasetError", "Finding", "Instance", "Keypoint", "Polygon", "Sample", "Split"]
