"""Lines from a stream of bytes."""

from collections.abc import AsyncGenerator, AsyncIterable

MAX_LINE_BYTES = 4 * 1024 * 1024


class LineTooLong(Exception):
    """A line that does not end: the sender is not what it should be."""


async def split_lines(chunks: AsyncIterable[bytes], limit: int = MAX_LINE_BYTES) -> AsyncGenerator[bytes]:
    r"""Yield the lines without their ends.

    Only `\n` ends a line: `str.splitlines` would also split at U+2028 and its like, which JSON may hold. What stands
    after the last `\n` is not yielded, since it is the torn half of a line.

    Raises LineTooLong for a line of more than `limit` bytes.
    """
    rest = bytearray()
    async for chunk in chunks:
        rest += chunk
        if b"\n" in chunk:
            *lines, last = rest.split(b"\n")
            rest = last
            for line in lines:
                yield bytes(line)
        if len(rest) > limit:
            raise LineTooLong(f"a line of more than {limit} bytes")
