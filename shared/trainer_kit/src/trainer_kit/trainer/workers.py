"""Number of processes that read images for one that trains."""

import os
from typing import Literal

MOST_AUTO_WORKERS = 8


def choose_workers(requested: int | Literal["auto"], device_type: str, *, processes: int = 1) -> int:
    """Return how many processes read images for each of the `processes` that train: with `auto` none on the CPU, which
    is busy training.
    """
    if requested != "auto":
        return requested
    return 0 if device_type == "cpu" else min(MOST_AUTO_WORKERS, max(1, (os.cpu_count() or 1) // processes))
