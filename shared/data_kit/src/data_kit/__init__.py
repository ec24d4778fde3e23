"""Data sets and object storage, read the same way by the backend and by every trainer."""

from data_kit.dataset import Box, Dataset, Instance, Keypoint, Polygon, Sample, Split
from data_kit.errors import DatasetError, Finding
from data_kit.images import load_image
from data_kit.opening import detect_format, open_dataset
from data_kit.storage import ObjectStore, StoredObject, open_store
from data_kit.writers import write_coco, write_imagefolder, write_yolo

__all__ = [
    "Box",
    "Dataset",
    "DatasetError",
    "Finding",
    "Instance",
    "Keypoint",
    "ObjectStore",
    "Polygon",
    "Sample",
    "Split",
    "StoredObject",
    "detect_format",
    "load_image",
    "open_dataset",
    "open_store",
    "write_coco",
    "write_imagefolder",
    "write_yolo",
]
