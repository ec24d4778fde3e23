"""Loading of data, so that a resumed run sees what an uninterrupted one sees."""

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ultralytics_service.library import torch

SHARED_MEMORY_BYTES = 512 * 2**20
"""Loader processes hand over batches in /dev/shm, and die of a bus error where it is full. Containers have 64 MB."""


class EpochLoader:
    """The library's loader, whose order and augmentation depend on the number of the epoch alone.

    The library seeds once and then draws on, so that its resumed runs see other data than uninterrupted ones.
    """

    def __init__(self, loader: Any, epoch_seed: Callable[[], int]) -> None:
        self._loader = loader
        self._epoch_seed = epoch_seed

    def __iter__(self) -> Iterator[dict[str, Any]]:
        seed = self._epoch_seed()
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        self._loader.generator.manual_seed(seed)
        self._loader.reset()
        yield from self._loader

    def __len__(self) -> int:
        return len(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def keep_order(loader: Any) -> None:
    """Makes the library's loader give the samples in the data set's order."""
    batches = loader.batch_sampler.sampler  # behind a sampler that repeats it for ever
    batches.sampler = torch.utils.data.SequentialSampler(loader.dataset)


def mosaic_buffer(dataset: Any) -> list[int]:
    """Numbers of the images that a data set holds decoded, to draw the parts of mosaics from."""
    return list(getattr(dataset, "buffer", ()))


def refill_mosaic_buffer(dataset: Any, numbers: list[int]) -> None:
    """Loads the same images in the same order again."""
    for number in numbers:
        dataset.load_image(number)


def usable_workers(requested: int, shared_memory: Path = Path("/dev/shm")) -> int:  # noqa: S108
    """None where /dev/shm is there and too small."""
    if shared_memory.is_dir() and shutil.disk_usage(shared_memory).total < SHARED_MEMORY_BYTES:
        return 0
    return requested
