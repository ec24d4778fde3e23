"""The images of a data set as batches. What is random depends on seed, epoch and index alone, never on what ran before:
a resumed training sees exactly what it would have seen, with any number of workers.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler
from torchvision.transforms import v2

from data_kit import Sample
from huggingface_service.config import Hyperparameters
from huggingface_service.tasks import Task
from huggingface_service.transforms import Example, training_transform, validation_transform
from trainer_kit.trainer import TrainingRun, broken_images
from trainer_kit.trainer.workers import choose_workers
from vision_contracts import LogLevel

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - asked for its size, not written to
SHARED_MEMORY_PER_WORKER = 128 * 2**20


def stable_seed(*parts: int) -> int:
    """One seed from several numbers, well mixed."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


class ImageSet(Dataset[Example]):
    """The samples of a split, read and transformed. A key is an index, or `(epoch, index)` where epochs differ."""

    def __init__(
        self, samples: Sequence[Sample], read: Callable[[Sample], Example], transform: v2.Transform, *, seed: int
    ) -> None:
        self.samples = samples
        self.read = read
        self.transform = transform
        self.seed = seed

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: int | tuple[int, int]) -> Example:
        epoch, index = key if isinstance(key, tuple) else (0, key)
        sample = self.samples[index]
        with broken_images(sample.image):
            example = self.read(sample)
        with torch.random.fork_rng(devices=[]):
            # The CPU's generator alone: `torch.manual_seed` takes 0.2 ms, and repeats a GPU's dropout for each image.
            torch.default_generator.manual_seed(stable_seed(self.seed, epoch, index))
            return self.transform(example)


class EpochSampler(Sampler[tuple[int, int]]):
    """Every sample once, in an order of the epoch's own. Of several processes each has its share, all as many; the
    last of the order are left out where they do not go round.
    """

    def __init__(self, size: int, *, seed: int, rank: int = 0, world_size: int = 1) -> None:
        self.size = size
        self.rank = rank
        self.world_size = world_size
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return self.size // self.world_size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = torch.randperm(self.size, generator=torch.Generator().manual_seed(stable_seed(self.seed, self.epoch)))
        return ((self.epoch, index) for index in order[self.rank :: self.world_size][: len(self)].tolist())


def make_loaders(
    run: TrainingRun[Hyperparameters], task: Task, size: int, normalization: str, *, device: torch.device
) -> tuple[DataLoader[Example], DataLoader[Example]]:
    """Batches for training, in the order of `sampler.epoch`, and for validation, in the order of the data set.

    A last training batch of a single image is left out, since batch normalisation cannot train on one.
    """
    settings, params = run.hyperparameters, run.spec.params
    workers, remark = usable_workers(settings.workers, device, processes=run.world.size)
    if remark:
        run.log(remark, LogLevel.WARNING)
    training = ImageSet(
        run.dataset["train"], task.read, training_transform(settings, size, normalization), seed=params.seed
    )
    validation = ImageSet(run.dataset["val"], task.read, validation_transform(size, normalization), seed=params.seed)
    shared = {
        "batch_size": params.batch_size,
        "collate_fn": task.collate,
        "num_workers": workers,
        "persistent_workers": workers > 0,
        "pin_memory": device.type == "cuda",
    }
    sampler = EpochSampler(len(training), seed=params.seed, rank=run.world.rank, world_size=run.world.size)
    is_last_alone = len(sampler) > params.batch_size > 1 and len(sampler) % params.batch_size == 1
    return (
        DataLoader(training, sampler=sampler, drop_last=is_last_alone, **shared),
        DataLoader(validation, **shared),
    )


def batches_like(loader: DataLoader[Example], samples: Sequence[Sample]) -> DataLoader[Example]:
    """Batches of other samples, made as those of `loader` and in their order."""
    images = images_of(loader)
    return DataLoader(
        ImageSet(samples, images.read, images.transform, seed=images.seed),
        batch_size=loader.batch_size,
        collate_fn=loader.collate_fn,
        num_workers=loader.num_workers,
        pin_memory=loader.pin_memory,
    )


def images_of(loader: DataLoader[Any]) -> ImageSet:
    """Return the images of a loader that `make_loaders` or `batches_like` has made."""
    return cast("ImageSet", loader.dataset)


def usable_workers(
    wanted: int | Literal["auto"], device: torch.device, *, processes: int = 1
) -> tuple[int, str | None]:
    """Return the loader processes to start for each that trains, and a message if they are fewer than requested.

    Loader processes hand over batches through shared memory, of which a container has 64 MB by default: too little,
    and they die of a bus error.
    """
    chosen = choose_workers(wanted, device.type, processes=processes)
    if chosen == 0 or not SHARED_MEMORY.is_dir():
        return chosen, None
    possible = shutil.disk_usage(SHARED_MEMORY).free // (SHARED_MEMORY_PER_WORKER * processes)
    if possible >= chosen:
        return chosen, None
    return possible, (
        f"Reading images in {possible} processes instead of {chosen}: {SHARED_MEMORY} is small. Give the container "
        f"more shared memory (`shm_size: 1gb`)."
    )
