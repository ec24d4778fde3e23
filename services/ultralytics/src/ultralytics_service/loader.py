"""Loading of data, so that a resumed run sees what an uninterrupted one sees."""

import random
import shutil
from collections.abc import Callable, Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from trainer_kit.trainer.world import World
from ultralytics_service.library import torch, ultralytics

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
        once = _Once(loader.batch_sampler.sampler)
        object.__setattr__(loader, "batch_sampler", once)  # which a loader refuses otherwise, as the library does it

    def __iter__(self) -> Iterator[dict[str, Any]]:
        seed = (self._epoch_seed() * self._world.size + self._world.rank) % 2**32
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        self._loader.generator.manual_seed(seed)
        self._loader.reset()
        if self._loader.num_workers and hasattr(self._loader.dataset, "max_buffer_length"):
            fill_mosaic_buffer(self._loader.dataset, seed, threads=self._loader.num_workers)
        yield from self._loader

    def __len__(self) -> int:
        return len(self._loader)

    @property
    def sampler(self) -> Any:
        """Gives the samples of one epoch, behind the one of batches and the one around that."""
        return self._loader.batch_sampler.sampler.sampler

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class _Once:
    """The batches of one epoch, in place of the library's sampler that repeats them for ever: loader processes would go
    on with four batches each of a next epoch, all thrown away as each epoch starts anew.
    """

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.sampler)


def keep_order(loader: Any) -> None:
    """Makes the library's loader give the samples in the data set's order."""
    _replace_sampler(loader, torch.utils.data.SequentialSampler(loader.dataset))


class Share(torch.utils.data.Sampler[int]):
    """Indices that one of several processes sees of an epoch. The order depends on the seed alone; all see as many,
    and the last ones of the order are left out where they do not go round.
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


def fill_mosaic_buffer(dataset: Any, seed: int, *, threads: int) -> None:
    """Holds as many images as the library does once it runs in, chosen by the seed alone; none where no mosaic is made.

    Loader processes start with each epoch and share these with the one that forks them. With nothing at hand they would
    draw mosaics from their own few images: of 48, in batches of 16, 35 % had four different ones, in the library 77 %.
    """
    count = dataset.max_buffer_length - 1 if _draws_from_buffer(dataset.transforms) else 0
    numbers = random.Random(seed).sample(range(len(dataset)), count)  # noqa: S311 - not for secrets
    for number in set(dataset.buffer).difference(numbers):
        dataset.ims[number] = dataset.im_hw0[number] = dataset.im_hw[number] = None
    dataset.buffer = []
    with ThreadPoolExecutor(threads) as pool:  # over before the processes are forked
        for _ in pool.map(dataset.load_image, numbers):  # a no-op for what is still held
            pass
    dataset.buffer = numbers  # an order that does not depend on the threads


def _draws_from_buffer(transform: Any) -> bool:
    """Return whether mosaics draw from the buffer: not from cached images, nor once mosaics are closed."""
    if isinstance(transform, ultralytics.data.augment.Mosaic):
        return transform.p > 0 and transform.buffer_enabled
    return any(_draws_from_buffer(part) for part in getattr(transform, "transforms", None) or ())


def usable_workers(requested: int, shared_memory: Path = Path("/dev/shm"), *, processes: int = 1) -> int:  # noqa: S108
    """None where /dev/shm is there and too small for as many as each of `processes` starts."""
    if shared_memory.is_dir() and shutil.disk_usage(shared_memory).total < SHARED_MEMORY_BYTES * processes:
        return 0
    return requested
