"""Pages of the list as they are sent, kept for the next one who asks the same."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from hashlib import sha256

LARGEST_CACHE = 128


@dataclass(frozen=True, slots=True)
class SerializedPage:
    """The body of an answer, and what goes into its headers."""

    body: bytes
    etag: str
    total: int
    next_cursor: str | None

    @classmethod
    def of(cls, cards: list[bytes], total: int, next_cursor: str | None) -> "SerializedPage":
        """A JSON array of cards that are JSON already."""
        body = b"[" + b",".join(cards) + b"]"
        return cls(body, f'"{sha256(body).hexdigest()[:32]}"', total, next_cursor)


class PageCache:
    """The pages that were asked for last. It belongs to one index, and goes with it."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Hashable, SerializedPage] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], SerializedPage]) -> SerializedPage:
        """The page, made now if nobody has asked for it lately."""
        page = self._pages.get(key)
        if page is None:
            page = self._pages[key] = make()
            if len(self._pages) > LARGEST_CACHE:
                self._pages.popitem(last=False)
        else:
            self._pages.move_to_end(key)
        return page
