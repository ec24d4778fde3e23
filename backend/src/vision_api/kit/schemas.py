"""Base classes of the API's schemas."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

ResourceId = Annotated[int, Field(ge=1, le=2**63 - 1)]
"""An id in a path or a body: what the database can hold."""


class OneLine:
    """Constraint of a name: one line, without characters that make it look like another one.

    Control characters and bidirectional overrides are refused. The joiner of emojis (U+200D) is not.
    """

    pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]*$"
    _refused = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema) | {"pattern": self.pattern}

    def _check(self, text: str) -> str:
        if found := self._refused.search(text):
            raise PydanticCustomError(
                "character_not_allowed",
                "The character U+{code} may not stand in a name: remove line breaks, control and direction characters.",
                {"code": f"{ord(found[0]):04X}"},
            )
        return text


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
