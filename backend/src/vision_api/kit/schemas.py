"""Base classes of the API's schemas."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

ResourceId = Annotated[int, Field(ge=1, le=2**63 - 1)]
"""An id in a path or a body: what the database can hold."""


def is_storable(text: str) -> bool:
    """Return whether a text can be stored: PostgreSQL takes neither NUL nor half a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _strings(value: Any) -> Iterator[str]:
    """Yield every text in `value`, however deep: with a stack, since a client chooses the depth."""
    rest: list[Any] = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            mapping = cast("Mapping[Any, Any]", item)
            rest += [*mapping.keys(), *mapping.values()]
        elif isinstance(item, list | tuple):
            rest += cast("list[Any]", item)


class RequestModel(BaseModel):
    """Base class of requests: a misspelt field is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_what_cannot_be_stored(cls, data: Any) -> Any:
        if not all(map(is_storable, _strings(data))):
            raise ValueError("A text holds a character that cannot be stored (NUL or an unpaired surrogate).")
        return data


class ReadModel(BaseModel):
    """Base class of responses. Times are `vision_contracts.Time`; a number that is not finite becomes null."""

    model_config = ConfigDict(from_attributes=True, frozen=True, ser_json_inf_nan="null")
