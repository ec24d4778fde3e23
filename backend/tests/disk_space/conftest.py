"""A backend on a disk of its own, which is small enough to be filled."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.small_disks import small_disk

from data_kit import disk
from vision_api.config import Settings

MEBIBYTE = 1024**2


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MiB."""
    with small_disk(tmp_path / "disk", "64m") as folder:
        yield folder


@pytest.fixture
def settings(settings: Settings, small: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a backend whose data lie there, and which reads the disk each time."""
    monkeypatch.setattr(disk, "READ_EVERY_SECONDS", 0.0)
    moved: dict[str, Any] = {"data_dir": small, "storage_url": (small / "storage").as_uri()}
    return settings.model_copy(update=moved)
