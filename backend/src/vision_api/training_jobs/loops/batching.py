"""Batches of events, each large enough to be worth a transaction."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from vision_contracts import JobEvent

BATCH_SECONDS = 0.05
BATCH_EVENTS = 500


async def in_batches(
    events: AsyncIterator[JobEvent | None], *, seconds: float = BATCH_SECONDS, size: int = BATCH_EVENTS
) -> AsyncGenerator[list[JobEvent]]:
    """Yield lists of at most `size` events that came within `seconds` of their first. An empty list is a heartbeat.

    An exception of `events` is raised after the events that came before it.
    """
    queue: asyncio.Queue[JobEvent | BaseException | None] = asyncio.Queue(2 * size)
    reading = asyncio.create_task(_read(events, queue))
    try:
        while True:
            first = await queue.get()
            if isinstance(first, JobEvent) and queue.qsize() < size:
                await asyncio.sleep(seconds)
            taken = [first, *(queue.get_nowait() for _ in range(min(queue.qsize(), size - 1)))]
            batch = [item for item in taken if isinstance(item, JobEvent)]
            end = next((item for item in taken if isinstance(item, BaseException)), None)
            if batch or any(item is None for item in taken):
                yield batch
            if isinstance(end, StopAsyncIteration):
                return
            if end is not None:
                raise end
    finally:
        reading.cancel()
        await asyncio.wait({reading})


async def _read(events: AsyncIterator[JobEvent | None], queue: asyncio.Queue[JobEvent | BaseException | None]) -> None:
    """Put events into the queue, at last the exception that ended them. A full queue makes the service wait."""
    try:
        async for event in events:
            await queue.put(event)
    except Exception as error:  # noqa: BLE001 - raised again by the reader of the queue
        await queue.put(error)
    else:
        await queue.put(StopAsyncIteration())
