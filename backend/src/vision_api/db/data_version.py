"""Whether anything at all has been committed since: SQLite says so in microseconds, without a statement of ours."""

import sqlite3


class DataVersion:
    """The version of all that a SQLite file holds, whoever wrote it.

    It reads a counter in shared memory and waits for nobody, so it is asked on the event loop: a hop to a thread
    takes longer than the question.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def current(self) -> int | None:
        """Another number after every commit; None if that cannot be told."""
        try:
            if self._connection is None:
                if not self._path:
                    return None
                self._connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            return None
        return version

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
