"""Cache of whole responses."""

import math
import time
from collections import OrderedDict
from collections.abc import Hashable

from fastapi import Request, Response

LARGEST_CACHE = 128

Key = tuple[bytes, str, str]


def key_of(request: Request) -> Key:
    """Return the key of a request: its query, and the address that links in the response begin with."""
    return request.scope["query_string"], request.scope["scheme"], request.headers.get("host", "")


class ResponseCache:
    """The responses that were used last (LRU)."""

    def __init__(self, largest: int = LARGEST_CACHE) -> None:
        self._largest = largest
        self._answers: OrderedDict[Hashable, tuple[Response, float]] = OrderedDict()

    def get(self, key: Hashable) -> Response | None:
        """Return a copy of a response, to which headers may be added."""
        known, until = self._answers.get(key, (None, 0.0))
        if known is None or time.time() >= until:
            return None
        self._answers.move_to_end(key)
        return _copy(known)

    def put(self, key: Hashable, answer: Response, *, until: float = math.inf) -> None:
        """Add a response, valid until a Unix time, in place of the least recently used one."""
        self._answers[key] = _copy(answer), until
        if len(self._answers) > self._largest:
            self._answers.popitem(last=False)

    def clear(self) -> None:
        """Delete all responses, after a change of the data."""
        self._answers.clear()


def _copy(answer: Response) -> Response:
    copy = Response(status_code=answer.status_code)
    copy.body = answer.body
    copy.raw_headers = list(answer.raw_headers)
    return copy
