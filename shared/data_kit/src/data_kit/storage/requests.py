"""Requests to a store: a hook before each, and the translation of its errors."""

import errno
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

from obstore.exceptions import BaseError

from data_kit.storage.errors import ObjectNotFound, StorageError


def _allow() -> None:
    """Let every request pass."""


before_request: ContextVar[Callable[[], None]] = ContextVar("before_request", default=_allow)
"""Callback before each request of any store in this context, a store on this machine's disk included.

The request fails with what it raises: so code that must not wait for a store can forbid requests to all it calls.
"""


@contextmanager
def request(uri: str) -> Generator[None]:
    """Run the hook, then the body, whose errors become those of this package."""
    before_request.get()()
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectNotFound(f"There is no object {uri}.") from error
    except BaseError as error:
        if f"os error {errno.ENOSPC}" in str(error):
            raise OSError(errno.ENOSPC, "No space left for stored objects", uri) from error
        reason = str(error).partition("\n\nDebug source")[0]
        raise StorageError(f"Object storage failed for {uri}: {reason}") from error
