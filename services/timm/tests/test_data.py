"""Order, seeds and bounds of batches."""

from pathlib import Path

import pytest
import torch
from trainings import open_shapes

from data_kit import Split
from timm_service import data
from timm_service.config import Hyperparameters
from timm_service.data import Batches, Images, fits_shared_memory, make_loader
from timm_service.image_size import natural_size
from timm_service.transforms import training_transform

CPU = torch.device("cpu")
CONFIG = {"input_size": (3, 32, 32), "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "interpolation": "bicubic"}


def indices(batches: Batches) -> list[list[int]]:
    return [[index for index, _ in batch] for batch in batches]


@pytest.mark.parametrize(
    ("size", "batch_size", "lengths"),
    [(10, 4, [4, 4, 2]), (9, 4, [4, 5]), (3, 8, [3]), (1, 8, [1]), (3, 1, [1, 1, 1]), (8, 4, [4, 4])],
)
def test_no_image_is_left_out_and_none_is_alone(size: int, batch_size: int, lengths: list[int]) -> None:
    batches = Batches(size, batch_size, seed=0, shuffle=True)
    assert [len(batch) for batch in batches] == lengths
    assert len(batches) == len(lengths)
    assert sorted(index for batch in indices(batches) for index in batch) == list(range(size))


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    ours, theirs = (Batches(50, 8, seed=1, shuffle=True) for _ in range(2))
    list(theirs)
    assert indices(ours) == indices(theirs)
    ours.begin(1)
    assert indices(ours) != indices(theirs)
    theirs.begin(1)
    assert list(ours) == list(theirs)


def test_skipping_leaves_the_rest_of_the_epoch_as_it_was() -> None:
    batches = Batches(50, 8, seed=1, shuffle=True)
    batches.begin(3)
    whole = list(batches)
    batches.begin(3, skip=4)
    assert list(batches) == whole[4:]


def test_validation_goes_through_the_images_in_order() -> None:
    assert indices(Batches(5, 2, seed=9, shuffle=False)) == [[0, 1], [2, 3, 4]]


def test_workers_change_nothing_about_the_images(shapes: Path) -> None:
    images = Images(open_shapes(shapes), Split.TRAIN, training_transform(Hyperparameters(), CONFIG))
    alone, helped = (
        list(make_loader(images, Batches(len(images), 10, seed=5, shuffle=True), device=CPU, workers=workers))
        for workers in (0, 2)
    )
    assert [torch.equal(ours[0], theirs[0]) for ours, theirs in zip(alone, helped, strict=True)] == [True, True, True]


def test_reading_images_leaves_the_global_random_state_alone(shapes: Path) -> None:
    images = Images(open_shapes(shapes), Split.TRAIN, training_transform(Hyperparameters(), CONFIG))
    before = torch.get_rng_state()
    list(make_loader(images, Batches(len(images), 10, seed=5, shuffle=True), device=CPU, workers=0))
    assert torch.equal(before, torch.get_rng_state())


def test_a_small_shared_memory_takes_no_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(data, "SHARED_MEMORY", tmp_path)
    assert fits_shared_memory(2, batch_bytes=1000)
    assert not fits_shared_memory(2, batch_bytes=1 << 60)
    assert fits_shared_memory(0, batch_bytes=1 << 60)


def test_the_natural_size_is_the_median_of_the_shorter_sides(shapes: Path) -> None:
    assert natural_size(open_shapes(shapes)) == 40
