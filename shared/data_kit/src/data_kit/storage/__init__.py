"""Object storage behind one small interface."""

from data_kit.storage.errors import InvalidKey, ObjectNotFound, StorageError
from data_kit.storage.objects import ObjectInfo, StoredObject
from data_kit.storage.open import Timeouts, open_store
from data_kit.storage.requests import before_request
from data_kit.storage.store import ObjectStore

__all__ = [
    "InvalidKey",
    "ObjectInfo",
    "ObjectNotFound",
    "ObjectStore",
    "StorageError",
    "StoredObject",
    "Timeouts",
    "before_request",
    "open_store",
]
