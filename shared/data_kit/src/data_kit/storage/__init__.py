"""Object storage behind one small interface."""

from data_kit.storage.errors import InvalidKey, ObjectNotFound, StorageError
from data_kit.storage.hooks import before_request
from data_kit.storage.store import ObjectInfo, ObjectStore, StoredObject, open_store

__all__ = [
    "InvalidKey",
    "ObjectInfo",
    "ObjectNotFound",
    "ObjectStore",
    "StorageError",
    "StoredObject",
    "before_request",
    "open_store",
]
