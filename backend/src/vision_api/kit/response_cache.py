"""Cache of whole responses."""

import math
import time
from collections import OrderedDict
from collections.abc import Iterable

from fastapi import Request, Response

LARGEST_CACHE = 16 * 1024 * 1024
"""Bytes of all responses of one cache: some fifty of the longest pages, or thousands of short ones."""
OVERHEAD = 500
"""Bytes of the objects around a response, about."""

Key = tuple[bytes | str | int, ...]


def key_of(request: Request) -> Key:
    """Return the key of a request: its query. Links in a response are paths, so that it is the same for every host."""
    return (request.scope["query_string"],)


class ResponseCache:
    """The responses that were used last (LRU), of so many bytes together."""

    def __init__(self, most_bytes: int = LARGEST_CACHE) -> None:
        self._most_bytes = most_bytes
        self._answers: OrderedDict[Key, tuple[Response, float]] = OrderedDict()
        self.size_bytes = 0

    def get(self, key: Key) -> Response | None:
        """Return a copy of a response, to which headers may be added."""
        known, until = self._answers.get(key, (None, 0.0))
        if known is None:
            return None
        if time.time() >= until:
            self._remove(key)
            return None
        self._answers.move_to_end(key)
        return _copy(known)

    def put(self, key: Key, answer: Response, *, until: float = math.inf) -> None:
        """Add a response, valid until a Unix time, in place of the least recently used ones."""
        self._remove(key)
        self._answers[key] = _copy(answer), until
        self.size_bytes += _size(key, answer)
        while self.size_bytes > self._most_bytes:
            self._remove(next(iter(self._answers)))

    def clear(self) -> None:
        """Delete all responses, after a change of the data."""
        self._answers.clear()
        self.size_bytes = 0

    def _remove(self, key: Key) -> None:
        answer, _ = self._answers.pop(key, (None, 0.0))
        if answer is not None:
            self.size_bytes -= _size(key, answer)


def _size(key: Key, answer: Response) -> int:
    texts: Iterable[bytes | str] = (part for part in key if not isinstance(part, int))
    headers = (part for header in answer.raw_headers for part in header)
    return OVERHEAD + len(answer.body) + sum(map(len, texts)) + sum(map(len, headers))


def _copy(answer: Response) -> Response:
    copy = Response(status_code=answer.status_code)
    copy.body = answer.body
    copy.raw_headers = list(answer.raw_headers)
    return copy
