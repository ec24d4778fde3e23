"""A cache of responses is bounded in bytes, whatever keys clients choose."""

import time

from fastapi import Response

from vision_api.kit.response_cache import OVERHEAD, ResponseCache


def answer(size_bytes: int) -> Response:
    return Response(b"x" * size_bytes)


def test_responses_of_a_flood_of_keys_stay_within_the_bytes() -> None:
    cache = ResponseCache(100_000)

    for number in range(1000):
        cache.put((f"q={number}".encode(),), answer(5_000))
        assert 0 < cache.size_bytes <= 100_000

    assert cache.get((b"q=999",)) is not None
    assert cache.get((b"q=0",)) is None


def test_long_keys_count_too() -> None:
    cache = ResponseCache(10_000)

    cache.put((b"q" * 20_000,), answer(1))

    assert cache.size_bytes == 0


def test_used_responses_are_kept_longest() -> None:
    cache = ResponseCache(3 * (OVERHEAD + 1200))
    for name in (b"a", b"b"):
        cache.put((name,), answer(1000))
    cache.get((b"a",))

    for name in (b"c", b"d"):
        cache.put((name,), answer(1000))

    assert cache.get((b"a",)) is not None
    assert cache.get((b"b",)) is None


def test_a_response_that_replaces_one_counts_once() -> None:
    cache = ResponseCache(100_000)
    cache.put((b"a",), answer(1000))
    before = cache.size_bytes

    cache.put((b"a",), answer(1000))

    assert cache.size_bytes == before


def test_expired_and_cleared_responses_are_deleted() -> None:
    cache = ResponseCache()
    cache.put((b"a",), answer(10), until=time.time() - 1)
    assert cache.get((b"a",)) is None
    assert cache.size_bytes == 0

    cache.put((b"a",), answer(10))
    cache.clear()
    assert (cache.get((b"a",)), cache.size_bytes) == (None, 0)
