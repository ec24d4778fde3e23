"""Progress of a long operation."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")

OnProgress = Callable[[int, int], None]
"""Callback that gets, again and again, the amount done and the total: bytes or files, as the operation counts."""


def counted(items: Sequence[Item], on_progress: OnProgress | None) -> Iterator[Item]:
    """Yield the same items, and report progress after each of them."""
    for done, item in enumerate(items, start=1):
        yield item
        if on_progress is not None:
            on_progress(done, len(items))
