"""Files of a local store beside its objects' content: what is partly written, and what is not on disk yet."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from data_kit.storage.objects import ObjectInfo

UNFINISHED = re.compile(r"#\d+$")
"""Suffix that obstore gives to a local file while it is being written; no object may have such a name."""


def sync_to_disk(path: Path) -> None:
    """Sync a file and its folder, so that they survive a power cut."""
    for synced in (path, path.parent):
        descriptor = os.open(synced, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def unfinished_files(root: Path) -> Iterator[ObjectInfo]:
    """Yield the files below `root` that are partly written."""
    for path in root.rglob("*#*"):
        with suppress(FileNotFoundError):
            if UNFINISHED.search(path.name) and path.is_file():
                found = path.stat()
                yield ObjectInfo(path.as_uri(), found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))
