"""Data sets and object storage, read the same way by the backend and by every trainer."""

from data_kit.archive import ArchiveLimits, extract_archive, stored_files, write_archive
from data_kit.dataset import Box, Dataset, Instance, Keypoint, Polygon, Sample, Split
from data_kit.digest import dataset_digest, dataset_manifest, manifest_digest
from data_kit.disk import DiskReserve, DiskRoom, existing_folder
from data_kit.errors import DatasetError, Finding
from data_kit.images import load_image, load_scaled
from data_kit.importing import copy_folder, copy_objects
from data_kit.open import detect_format, open_dataset
from data_kit.progress import OnProgress
from data_kit.split_file import write_split_file
from data_kit.splitting import SplitOptions, assign_splits
from data_kit.statistics import DatasetStatistics, describe
from data_kit.storage import ObjectInfo, ObjectNotFound, ObjectStore, StorageError, StoredObject, open_store
from data_kit.writers import write_coco, write_imagefolder, write_voc, write_yolo

__all__ = [
    "ArchiveLimits",
    "Box",
    "Dataset",
    "DatasetError",
    "DatasetStatistics",
    "DiskReserve",
    "DiskRoom",
    "Finding",
    "Instance",
    "Keypoint",
    "ObjectInfo",
    "ObjectNotFound",
    "ObjectStore",
    "OnProgress",
    "Polygon",
    "Sample",
    "Split",
    "SplitOptions",
    "StorageError",
    "StoredObject",
    "assign_splits",
    "copy_folder",
    "copy_objects",
    "dataset_digest",
    "dataset_manifest",
    "describe",
    "detect_format",
    "existing_folder",
    "extract_archive",
    "load_image",
    "load_scaled",
    "manifest_digest",
    "open_dataset",
    "open_store",
    "stored_files",
    "write_archive",
    "write_coco",
    "write_imagefolder",
    "write_split_file",
    "write_voc",
    "write_yolo",
]
