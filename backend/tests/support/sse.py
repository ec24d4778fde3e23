"""Server-sent events as a browser sees them."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any


@dataclass
class Sent:
    """One event as a browser sees it."""

    event: str
    id: int | None
    data: dict[str, Any]


def parse(message: bytes) -> Sent | None:
    """The event in a message; None for a comment or `retry:`."""
    fields = dict(line.split(": ", 1) for line in message.decode().splitlines() if line and not line.startswith(":"))
    if "event" not in fields:
        return None
    return Sent(fields["event"], int(fields["id"]) if "id" in fields else None, json.loads(fields["data"]))


async def parsed(messages: AsyncIterator[bytes]) -> AsyncGenerator[Sent]:
    async for message in messages:
        sent = parse(message)
        if sent is not None:
            yield sent


async def take(events: AsyncIterator[Sent], count: int) -> list[Sent]:
    async with asyncio.timeout(10):
        return [await anext(events) for _ in range(count)]
