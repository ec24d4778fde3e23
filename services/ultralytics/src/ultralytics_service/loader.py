"""Loading of data, so that a resumed run sees what an uninterrupted one sees."""

import random
import shutil
from collections.abc import Callable, Iterator, Sized
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from trainer_kit.trainer.world import World
from ultralytics_service.library import torch

SHARED_MEMORY_BYTES = 512 * 2**20
"""Loader processes hand over batches in /dev/shm, and die of a bus error where it is full. Containers have 64 MB."""


class EpochLoader:
    """The library's loader, whose order and augmentation depend on the number of the epoch alone, and where
    several processes train together on the process.

    The library seeds once and then draws on, so that its resumed runs see other data than uninterrupted ones.
    """

    def __init__(self, loader: Any, world: World, epoch_seed: Callable[[], int]) -> None:
        self._loader = loader
        self._world = world
        self._epoch_seed = epoch_seed

    def __iter__(self) -> Iterator[dict[str, Any]]:
        seed = (self._epoch_seed() * self._world.size + self._world.rank) % 2**32
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        self._loader.generator.manual_seed(seed)
        self._loader.reset()
        yield from self._loader

    def __len__(self) -> int:
        return len(self._loader)

    @property
    def sampler(self) -> Any:
        """Gives the samples of one epoch, behind a sampler that repeats it for ever."""
        return self._loader.batch_sampler.sampler.sampler

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def keep_order(loader: Any) -> None:
    """Makes the library's loader give the samples in the data set's order."""
    _replace_sampler(loader, torch.utils.data.SequentialSampler(loader.dataset))


class Share(torch.utils.data.Sampler[int]):
    """What one of several processes sees of an epoch. The order depends on the seed alone; all see as many images, and
    the last ones of the order are left out where they do not go round.
    """

    def __init__(self, dataset: Sized, world: World, epoch_seed: Callable[[], int]) -> None:
        self._size = len(dataset)
        self._world = world
        self._epoch_seed = epoch_seed

    def __iter__(self) -> Iterator[int]:
        order = torch.randperm(self._size, generator=torch.Generator().manual_seed(self._epoch_seed()))
        yield from islice(order.tolist(), self._world.rank, len(self) * self._world.size, self._world.size)

    def __len__(self) -> int:
        return self._size // self._world.size


def share_out(loader: Any, world: World, epoch_seed: Callable[[], int]) -> None:
    """Makes the library's loader give this process its share."""
    _replace_sampler(loader, Share(loader.dataset, world, epoch_seed))


def _replace_sampler(loader: Any, sampler: Any) -> None:
    loader.batch_sampler.sampler.sampler = sampler


def mosaic_buffer(dataset: Any) -> list[int]:
    """Numbers of the images that a data set holds decoded, to draw the parts of mosaics from."""
    return list(getattr(dataset, "buffer", ()))


def refill_mosaic_buffer(dataset: Any, numbers: list[int]) -> None:
    """Loads the same images in the same order again."""
    for number in numbers:
        dataset.load_image(number)


def usable_workers(requested: int, shared_memory: Path = Path("/dev/shm"), *, processes: int = 1) -> int:  # noqa: S108
    """None where /dev/shm is there and too small for as many as each of `processes` starts."""
    if shared_memory.is_dir() and shutil.disk_usage(shared_memory).total < SHARED_MEMORY_BYTES * processes:
        return 0
    return requested
