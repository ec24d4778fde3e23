"""The two kinds of wire model: requests of clients are strict, messages of peers may be of a newer version."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer


class Request(BaseModel):
    """Model of a client's request: a misspelt field is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Message(BaseModel):
    """Model of a message between peers, perhaps of other versions: unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def format_time(moment: datetime) -> str:
    """Format a time as every time on the wire, in UTC with milliseconds: `2026-01-31T12:00:00.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[
    AwareDatetime,
    AfterValidator(lambda moment: moment.astimezone(UTC)),
    PlainSerializer(format_time, return_type=str, when_used="json"),
]
