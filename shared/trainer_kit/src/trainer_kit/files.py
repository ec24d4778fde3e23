"""Atomic writes: a kill at any moment leaves the old content or the new one, never half of it."""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def write_atomically(path: Path, content: bytes) -> None:
    """Replace the file in one step. Creates its folder if there is none."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Generator[IO[bytes]]:
    """Open a new file that takes the place of `path` in one step once all is written, and is removed after an error.
    Creates its folder if there is none.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
