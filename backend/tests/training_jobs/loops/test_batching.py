"""Batches of events."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from vision_api.kit.clock import utc_now
from vision_api.training_jobs.loops.batching import in_batches
from vision_api.training_services import ServiceUnavailable
from vision_contracts import JobEvent, Log


def event(seq: int) -> JobEvent:
    return JobEvent(seq=seq, attempt=1, time=utc_now(), body=Log(message="hello"))


async def all_at_once(count: int) -> AsyncIterator[JobEvent | None]:
    for seq in range(1, count + 1):
        yield event(seq)


async def test_what_comes_together_is_one_batch_up_to_its_size() -> None:
    batches = [[each.seq for each in batch] async for batch in in_batches(all_at_once(7), seconds=0.01, size=3)]

    assert [seq for batch in batches for seq in batch] == [1, 2, 3, 4, 5, 6, 7]
    assert max(map(len, batches)) == 3


async def test_a_heartbeat_is_an_empty_batch() -> None:
    async def silent() -> AsyncIterator[JobEvent | None]:
        yield None

    assert [batch async for batch in in_batches(silent(), seconds=0)] == [[]]


async def test_what_came_before_a_cut_is_not_lost() -> None:
    async def cut() -> AsyncIterator[JobEvent | None]:
        yield event(1)
        raise ServiceUnavailable("cut")

    batches = in_batches(cut(), seconds=0.01)
    first = await anext(batches)

    assert [each.seq for each in first] == [1]
    with pytest.raises(ServiceUnavailable, match="cut"):
        await anext(batches)


async def test_a_slow_reader_holds_the_source_up() -> None:
    produced = 0

    async def endless() -> AsyncIterator[JobEvent | None]:
        nonlocal produced
        while True:
            produced += 1
            yield event(produced)

    batches = in_batches(endless(), seconds=0.01, size=10)
    first = await anext(batches)
    await asyncio.sleep(0.05)  # the time in which a source without a bound would run away
    await batches.aclose()

    assert len(first) == 10
    assert produced <= 31
