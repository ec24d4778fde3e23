"""The merged catalogue in memory: a few thousand cards, read by every request, replaced as a whole."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vision_api.catalog.schemas import ModelCardRead, ModelDetailRead, ModelFilter, ModelSort
from vision_contracts import ModelCard, ModelList

SortKey = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A card with what is derived from it once instead of in every request."""

    card: ModelCard
    body: bytes
    """The card as JSON, as the list shows it."""
    text: str
    """The text that a search matches, in lower case."""


def _entry(card: ModelCard) -> Entry:
    text = " ".join([card.model_name, card.display_name, card.family, card.description, *card.tags])
    body = ModelCardRead.model_construct(**dict(card)).model_dump_json()
    return Entry(card, body.encode(), text.casefold())


def _by_name(card: ModelCard) -> SortKey:
    return (card.model_name, card.framework)


# A cursor is the key of the last card shown, so that keys hold plain JSON values only.
_ORDERS: dict[ModelSort, tuple[Callable[[ModelCard], SortKey], bool]] = {
    ModelSort.PRIORITY: (lambda card: (card.priority, *_by_name(card)), False),
    ModelSort.PRIORITY_DESCENDING: (lambda card: (-card.priority, *_by_name(card)), False),
    ModelSort.NAME: (_by_name, False),
    ModelSort.NAME_DESCENDING: (_by_name, True),
    ModelSort.PARAMS: (lambda card: (card.params, *_by_name(card)), False),
    ModelSort.PARAMS_DESCENDING: (lambda card: (-card.params, *_by_name(card)), False),
}


class CatalogIndex:
    """Every card of every framework, as of one moment."""

    def __init__(self, lists: Iterable[ModelList] = ()) -> None:
        self._lists: Mapping[str, ModelList] = {models.framework: models for models in lists}
        self._entries = {
            (card.framework, card.model_name): _entry(card) for models in self._lists.values() for card in models.models
        }
        self._sorted = {
            sort: sorted(self._entries.values(), key=lambda entry, key=key: key(entry.card), reverse=reverse)
            for sort, (key, reverse) in _ORDERS.items()
        }

    @property
    def frameworks(self) -> frozenset[str]:
        """Return the frameworks that have a catalogue."""
        return frozenset(self._lists)

    def __len__(self) -> int:
        return len(self._entries)

    def count(self, framework: str) -> int:
        """Return the number of models of a framework."""
        return len(self._lists[framework].models) if framework in self._lists else 0

    def model_names(self, framework: str) -> list[str]:
        """Return the names of a framework's models."""
        return [card.model_name for card in self._lists[framework].models]

    def find(self, model_filter: ModelFilter, sort: ModelSort) -> list[Entry]:
        """Return the cards that meet every condition, in order."""
        conditions = _conditions(model_filter)
        return [entry for entry in self._sorted[sort] if all(holds(entry) for holds in conditions)]

    def detail(self, framework: str, model_name: str) -> ModelDetailRead | None:
        """Return a card with the schema of its hyper-parameters."""
        entry = self._entries.get((framework, model_name))
        if entry is None:
            return None
        return ModelDetailRead.model_construct(**dict(self._lists[framework].detail(entry.card)))


def position(card: ModelCard, sort: ModelSort) -> SortKey:
    """Return the sort key of a card."""
    return _ORDERS[sort][0](card)


def entries_after(entries: Sequence[Entry], sort: ModelSort, last: SortKey) -> list[Entry]:
    """Return the entries after a sort key, even if its card no longer exists."""
    key, reverse = _ORDERS[sort]
    if reverse:
        return [entry for entry in entries if key(entry.card) < last]
    return [entry for entry in entries if key(entry.card) > last]


def _conditions(model_filter: ModelFilter) -> list[Callable[[Entry], bool]]:
    words = (model_filter.q or "").casefold().split()
    every: list[tuple[Any, Callable[[Entry], bool]]] = [
        (model_filter.framework, lambda entry: entry.card.framework == model_filter.framework),
        (model_filter.task_type, lambda entry: model_filter.task_type in entry.card.task_types),
        (model_filter.priority, lambda entry: entry.card.priority == model_filter.priority),
        (model_filter.pretrained, lambda entry: entry.card.pretrained_available is model_filter.pretrained),
        (model_filter.min_params, lambda entry: entry.card.params >= (model_filter.min_params or 0)),
        (model_filter.max_params, lambda entry: entry.card.params <= (model_filter.max_params or 0)),
        (words or None, lambda entry: all(word in entry.text for word in words)),
    ]
    return [holds for value, holds in every if value is not None]
