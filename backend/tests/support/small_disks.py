"""Small file systems, which a test can fill."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("mount"), reason="a small disk can only be made by root"
)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a disk of `size`, such as `64m`, at `folder`. Skips the test where mounting is not allowed."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def free_bytes(folder: Path) -> int:
    """Return the room on a disk."""
    return shutil.disk_usage(folder).free


def fill(folder: Path, *, leaving: int = 0, name: str = "filler") -> Path:
    """Fill a disk with a file, as others would."""
    file = folder / name
    with file.open("ab") as filler:
        if (size := free_bytes(folder) - leaving) > 0:
            os.posix_fallocate(filler.fileno(), filler.tell(), size)
    return file
