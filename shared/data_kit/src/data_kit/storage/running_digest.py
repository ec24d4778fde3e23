"""Size and SHA-256 of a stream of bytes."""

import hashlib
from collections.abc import Iterator


class RunningDigest:
    """Size and hash of the bytes that were added so far."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The hash in hexadecimal."""
        return self._hash.hexdigest()

    def add(self, chunk: bytes) -> None:
        """Add the next bytes."""
        self.size_bytes += len(chunk)
        self._hash.update(chunk)

    def through(self, first: bytes, second: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
        """Yield all chunks and add them, except `first`, which was added before."""
        yield first
        self.add(second)
        yield second
        for chunk in rest:
            self.add(chunk)
            yield chunk
