"""The images of a data set as batches whose order and random changes depend on seed and epoch alone.

A resumed training therefore sees exactly what it would have seen, with any number of workers.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
from PIL import Image
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from data_kit import Dataset, Split, load_image
from timm_service.transforms import Transform
from trainer_kit.trainer import broken_images

Batch = tuple[torch.Tensor, torch.Tensor]
"""Images (n, 3, side, side) float32, class ids (n,) int64."""

BATCHES_PER_WORKER = 3
"""Two that wait, and one being made."""

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - asked for its size, not written to


class Images(TorchDataset[tuple[torch.Tensor, int]]):
    """Samples by (index, seed): the seed decides the random changes of that one image."""

    def __init__(self, dataset: Dataset, split: Split, transform: Transform) -> None:
        self.samples = dataset[split]
        self.transform = transform
        self._root = dataset.root

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, int]:
        index, seed = key
        sample = self.samples[index]
        assert sample.class_id is not None  # noqa: S101 - the data kit's promise for this task
        generator = torch.default_generator
        state = generator.get_state()
        generator.manual_seed(seed)
        try:
            return self.transform(self._read(sample.image)), sample.class_id
        finally:
            generator.set_state(state)

    def _read(self, path: Path) -> Image.Image:
        with broken_images(os.path.relpath(path, self._root)):
            return load_image(path)


class Batches:
    """Which images make up each batch of an epoch. `begin` chooses the epoch before every pass."""

    def __init__(
        self,
        size: int,
        batch_size: int,
        *,
        seed: int,
        shuffle: bool,
        weights: torch.Tensor | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Draw images by their chance where there are `weights`, each as often as it comes.

        Of `world_size` processes that train together each has every batch of its own, as many as the others. The last
        images of an epoch's order are left out where they do not go round.
        """
        self.seed = seed
        self.shuffle = shuffle
        self.weights = weights
        self._bounds = _batch_bounds(size // world_size, batch_size)
        self._rank, self._world_size = rank, world_size
        self._size = size
        self._epoch = 0
        self._skip = 0

    def begin(self, epoch: int, *, skip: int = 0) -> None:
        """Make the next pass that of `epoch`, without its first `skip` batches."""
        self._epoch, self._skip = epoch, skip

    def __len__(self) -> int:
        return len(self._bounds)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        generator = torch.Generator().manual_seed(epoch_seed(self.seed, self._epoch))
        order = self._order(generator)
        seeds = torch.randint(2**62, (self._size,), generator=generator)
        keys = list(zip(order.tolist(), seeds.tolist(), strict=True))[self._rank :: self._world_size]
        return iter([keys[start:stop] for start, stop in self._bounds[self._skip :]])

    def _order(self, generator: torch.Generator) -> torch.Tensor:
        if self.weights is not None:
            return torch.multinomial(self.weights, self._size, replacement=True, generator=generator)
        return torch.randperm(self._size, generator=generator) if self.shuffle else torch.arange(self._size)


def _batch_bounds(size: int, batch_size: int) -> list[tuple[int, int]]:
    """No image is dropped; one that would be alone joins the batch before it, as batch norm cannot train on one."""
    starts = list(range(0, size, batch_size))
    if batch_size > 1 and len(starts) > 1 and size - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], size], strict=True))


def epoch_seed(seed: int, epoch: int) -> int:
    """A number of its own for each epoch of each seed."""
    return seed * 100_003 + epoch


def make_loader(
    images: Images, batches: Batches, *, device: torch.device, workers: int
) -> "DataLoader[tuple[torch.Tensor, int]]":
    """Batches ready to be copied to the device."""
    return DataLoader(
        images,
        batch_sampler=batches,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        persistent_workers=workers > 0,
        generator=torch.Generator(),  # else each pass would draw from the generator that dropout draws from
    )


def fits_shared_memory(workers: int, batch_bytes: int) -> bool:
    """Workers hand batches over in /dev/shm, of which a container has 64 MB by default."""
    needed = workers * BATCHES_PER_WORKER * batch_bytes
    return not SHARED_MEMORY.is_dir() or shutil.disk_usage(SHARED_MEMORY).free >= needed
