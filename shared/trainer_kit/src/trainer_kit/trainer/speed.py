"""Speed of a network: the time of its forward pass alone, after a warm-up."""

import time
from collections.abc import Callable
from statistics import median

from vision_contracts import BatchTime

WARM_UP_PASSES = 3
MOST_PASSES = 30
MOST_SECONDS = 0.4
"""Limit of the warm-up, and of the timed passes, for each batch size; at least one pass is timed."""


def time_batch(
    compute: Callable[[int], None], batch_size: int, clock: Callable[[], float] = time.perf_counter
) -> BatchTime:
    """Return the median time of some passes. `compute(batch_size)` returns when the device has finished."""
    begun = clock()
    for _ in range(WARM_UP_PASSES):
        compute(batch_size)
        if clock() - begun > MOST_SECONDS:
            break
    passes: list[float] = []
    while not passes or (len(passes) < MOST_PASSES and sum(passes) < MOST_SECONDS):
        begun = clock()
        compute(batch_size)
        passes.append(clock() - begun)
    seconds = max(median(passes), 1e-9)
    return BatchTime(batch_size=batch_size, batch_seconds=seconds, images_per_second=batch_size / seconds)
