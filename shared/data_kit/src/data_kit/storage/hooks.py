"""A hook before every request to a store."""

from collections.abc import Callable
from contextvars import ContextVar


def _allow() -> None:
    """Let every request pass."""


before_request: ContextVar[Callable[[], None]] = ContextVar("before_request", default=_allow)
"""Called before each request that is made in this context, by any store, also by one on this machine's disk.

The request fails with what it raises: so code that must not wait for a store can forbid that to everything it calls.
"""
