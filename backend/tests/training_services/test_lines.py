"""Lines from chunks of bytes."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision_api.training_services.lines import LineTooLong, split_lines


async def chunks_of(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@given(st.lists(st.binary(max_size=5) | st.sampled_from([b"\n", b"\r\n", b"a\nb", b"\xe2\x80\xa8"])))
async def test_lines_are_the_same_however_they_are_cut(parts: list[bytes]) -> None:
    lines = [line async for line in split_lines(chunks_of(parts))]

    assert lines == b"".join(parts).split(b"\n")[:-1]


async def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(LineTooLong):
        async for _ in split_lines(chunks_of([b"x" * 60, b"x" * 60]), limit=100):
            pass


async def test_many_short_lines_are_no_long_one() -> None:
    lines = [line async for line in split_lines(chunks_of([b"short\n" * 100]), limit=100)]

    assert lines == [b"short"] * 100
