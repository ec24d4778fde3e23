"""Descriptions of stored objects."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that was written completely."""

    uri: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object as the store lists it."""

    uri: str
    size_bytes: int
    modified_at: datetime
