"""Lines from a stream of bytes."""

from collections.abc import AsyncGenerator, AsyncIterable

MAX_LINE_BYTES = 4 * 1024 * 1024


class LineTooLong(Exception):
    """A line is longer than the limit: the sender is no training service."""


async def split_lines(chunks: AsyncIterable[bytes], limit: int = MAX_LINE_BYTES) -> AsyncGenerator[bytes]:
    r"""Yield the lines without their ends.

    Only `\n` ends a line: `str.splitlines` would also split at U+2028 and its like, which JSON may hold. Bytes
    after the last `\n` are not yielded, since they are half a line.

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
