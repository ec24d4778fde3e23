"""What is known of bytes once they have passed."""

import hashlib
from collections.abc import Iterator


class RunningDigest:
    """Counts and hashes what passes through."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """In hexadecimal."""
        return self._hash.hexdigest()

    def add(self, chunk: bytes) -> None:
        """The next bytes."""
        self.size_bytes += len(chunk)
        self._hash.update(chunk)

    def through(self, first: bytes, second: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
        """`first`, which is counted already, and the rest."""
        yield first
        self.add(second)
        yield second
        for chunk in rest:
            self.add(chunk)
            yield chunk
