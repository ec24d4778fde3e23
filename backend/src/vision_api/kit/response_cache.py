"""Whole answers, kept for the next one who asks the same."""

import math
import time
from collections import OrderedDict
from collections.abc import Hashable

from fastapi import Request, Response

LARGEST_CACHE = 128

Key = tuple[bytes, str, str]


def key_of(request: Request) -> Key:
    """What an answer depends on, apart from data and reader: the query, and the address that its links begin with."""
    return request.scope["query_string"], request.scope["scheme"], request.headers.get("host", "")


class ResponseCache:
    """The answers that were asked for last."""

    def __init__(self, largest: int = LARGEST_CACHE) -> None:
        self._largest = largest
        self._answers: OrderedDict[Hashable, tuple[Response, float]] = OrderedDict()

    def get(self, key: Hashable) -> Response | None:
        """A copy of an answer: whoever sends it may add headers."""
        known, until = self._answers.get(key, (None, 0.0))
        if known is None or time.time() >= until:
            return None
        self._answers.move_to_end(key)
        return _copy(known)

    def put(self, key: Hashable, answer: Response, *, until: float = math.inf) -> None:
        """Keep an answer, up to a Unix time, in place of the one that was asked for longest ago."""
        self._answers[key] = _copy(answer), until
        if len(self._answers) > self._largest:
            self._answers.popitem(last=False)

    def clear(self) -> None:
        """Forget them: what they were made from has changed."""
        self._answers.clear()


def _copy(answer: Response) -> Response:
    copy = Response(status_code=answer.status_code)
    copy.body = answer.body
    copy.raw_headers = list(answer.raw_headers)
    return copy
