"""The data version of a SQLite file, which changes with every commit and is read in microseconds."""

import sqlite3
from pathlib import Path

from sqlalchemy import URL


class DataVersion:
    """Reads the data version of a SQLite file, whichever process wrote it.

    It reads a counter in shared memory and never waits, so it is read on the event loop: a hop to a thread takes
    longer.
    """

    def __init__(self, url: URL) -> None:
        is_plain_file = url.get_backend_name() == "sqlite" and not url.query
        self._path = url.database if is_plain_file else None
        self._connection: sqlite3.Connection | None = None

    def current(self) -> int | None:
        """Return a number that differs after every commit; None if it is unknown."""
        try:
            if self._connection is None:
                if not self._path or not Path(self._path).is_file():  # else another, empty database would be made
                    return None
                self._connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            return None
        return version

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
