"""Stream of an attempt's events over HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import anyio.to_thread

from trainer_kit.event_log import EventReader
from trainer_kit.supervisor import Attempt
from vision_contracts import HEARTBEAT_SECONDS, JobEvent

POLL_SECONDS = 0.1


async def stream_events(
    attempt: Attempt, *, after: int, follow: bool, is_closing: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """Yield the lines after number `after`; while following, an empty line every HEARTBEAT_SECONDS of silence.

    It ends with the terminal event, with the attempt's folder, or with this process; without `follow` at once.
    """
    may_grow = follow and await anyio.to_thread.run_sync(lambda: attempt.is_running)
    reader = EventReader(attempt.folder.events_file, after=after)
    sent_at = time.monotonic()
    while True:
        lines = await anyio.to_thread.run_sync(reader.read)
        if lines:
            yield b"".join(lines)
            sent_at = time.monotonic()
            if JobEvent.from_line(lines[-1]).is_terminal:
                return
            continue
        if not may_grow or is_closing() or not attempt.folder.spec_file.exists():
            return
        if time.monotonic() - sent_at >= HEARTBEAT_SECONDS:
            yield b"\n"
            sent_at = time.monotonic()
        await asyncio.sleep(POLL_SECONDS)
