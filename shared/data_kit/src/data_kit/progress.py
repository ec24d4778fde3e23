"""How far a long piece of work is."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")

OnProgress = Callable[[int, int], None]
"""Called with how much is done, and of how much, again and again: bytes or files, as the work counts them."""


def counted(items: Sequence[Item], on_progress: OnProgress | None) -> Iterator[Item]:
    """The same items; tells after each of them."""
    for done, item in enumerate(items, start=1):
        yield item
        if on_progress is not None:
            on_progress(done, len(items))
