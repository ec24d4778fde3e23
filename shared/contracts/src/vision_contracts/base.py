"""The two kinds of wire model: what we accept is strict, what a peer sends us may be newer than we are."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer


class Request(BaseModel):
    """What a client sends to us: a misspelt field is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Message(BaseModel):
    """What a peer of another version sends to us: fields that we do not know yet are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def format_time(moment: datetime) -> str:
    """`2026-01-31T12:00:00.123Z`: UTC, milliseconds, as every time on the wire."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[
    AwareDatetime,
    AfterValidator(lambda moment: moment.astimezone(UTC)),
    PlainSerializer(format_time, return_type=str, when_used="json"),
]
