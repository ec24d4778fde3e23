"""Errors of object storage.

OSError with ENOSPC    the disk of a local store is full
StorageError
├── ObjectNotFound      there is no such object
└── InvalidKey          a name or URI that this store cannot hold
"""


class StorageError(Exception):
    """The store does not answer, or refuses."""


class ObjectNotFound(StorageError):
    """There is no such object."""


class InvalidKey(StorageError, ValueError):
    """A key or URI that does not belong to this store."""
