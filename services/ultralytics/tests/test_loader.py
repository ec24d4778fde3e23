"""The library's loader with two processes of its own, which training on the CPU never has."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from PIL import Image

from trainer_kit.trainer.world import World
from ultralytics_service.library import torch, ultralytics
from ultralytics_service.loader import EpochLoader, keep_order, mosaic_buffer, share_out

SIDE = 64
IMAGES = 24
BATCH = 4
PADDING = 114
STILL = {"imgsz": SIDE, "translate": 0, "scale": 0, "fliplr": 0, "hsv_h": 0, "hsv_s": 0, "hsv_v": 0}
"""Mosaics, and no other augmentation."""
WORLD = World()


class Watched(torch.utils.data.Sampler[int]):
    """Notes what is drawn from another sampler."""

    def __init__(self, sampler: Any, drawn: list[int]) -> None:
        self.sampler = sampler
        self.drawn = drawn

    def __iter__(self) -> Iterator[int]:
        for number in self.sampler:
            self.drawn.append(number)
            yield number

    def __len__(self) -> int:
        return len(self.sampler)


@pytest.fixture
def greys(tmp_path: Path) -> dict[str, Any]:
    """Each image is of one grey of its own."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for number in range(IMAGES):
        Image.new("RGB", (SIDE, SIDE), (number * 4,) * 3).save(tmp_path / "images" / f"{number:02}.png")
        (tmp_path / "labels" / f"{number:02}.txt").write_text("0 0.5 0.5 0.9 0.9")
    config = {"path": str(tmp_path), "train": "images", "val": "images", "names": {0: "grey"}}
    (tmp_path / "data.yaml").write_text(yaml.safe_dump(config))
    return ultralytics.data.utils.check_det_dataset(str(tmp_path / "data.yaml"))


@pytest.fixture
def load(greys: dict[str, Any]) -> Iterator[Callable[..., SimpleNamespace]]:
    """`load(workers=…, batch=…, mode=…, world=…, <settings>=…)`: a `loader` over its `dataset`, as a job makes it, the
    `epoch` it is in, and the numbers of the images that it has `drawn`.
    """
    loaders = []

    def make(
        *, workers: int = 2, batch: int = BATCH, mode: str = "train", world: World = WORLD, **settings: Any
    ) -> SimpleNamespace:
        arguments = ultralytics.cfg.get_cfg(overrides=STILL | settings)
        made = SimpleNamespace(epoch=0, arguments=arguments, drawn=[])
        build = ultralytics.data.build
        made.dataset = build.build_yolo_dataset(arguments, greys["train"], batch, greys, mode=mode)
        library = build.build_dataloader(made.dataset, batch, workers, shuffle=mode == "train", device="cpu")
        if mode == "val":
            keep_order(library)
        elif world.size > 1:
            share_out(library, world, lambda: made.epoch)
        library.batch_sampler.sampler.sampler = Watched(library.batch_sampler.sampler.sampler, made.drawn)
        made.loader = EpochLoader(library, world, lambda: made.epoch)
        loaders.append(library)
        return made

    yield make
    for loader in loaders:
        loader.close()


def images_of_an_epoch(made: SimpleNamespace, epoch: int) -> torch.Tensor:
    made.epoch = epoch
    return torch.cat([batch["img"] for batch in made.loader])


def share_of_four(images: torch.Tensor) -> float:
    """The share of mosaics that show four different images."""
    greys = [len({*image.unique().tolist()} - {PADDING}) for image in images]
    return greys.count(4) / len(greys)


def test_mosaics_of_loader_processes_are_of_different_images_in_every_epoch(
    load: Callable[..., SimpleNamespace],
) -> None:
    made = load()
    assert [share_of_four(images_of_an_epoch(made, epoch)) > 0.5 for epoch in range(3)] == [True] * 3


@pytest.mark.parametrize("batch", [2, 4])
def test_an_epoch_of_loader_processes_is_the_same_whatever_was_before(
    load: Callable[..., SimpleNamespace], batch: int
) -> None:
    """Batches of two leave not all images at hand: they change with the epoch."""
    whole, resumed = load(batch=batch), load(batch=batch)
    *_, third = [images_of_an_epoch(whole, epoch) for epoch in range(3)]
    resumed.dataset.load_image(5)
    assert torch.equal(images_of_an_epoch(resumed, 2), third)


def test_no_more_images_are_held_than_the_library_would(load: Callable[..., SimpleNamespace]) -> None:
    made = load(batch=2)
    epochs = []
    for epoch in range(2):
        images_of_an_epoch(made, epoch)
        held = [number for number, image in enumerate(made.dataset.ims) if image is not None]
        assert sorted(mosaic_buffer(made.dataset)) == held
        epochs.append(held)
    assert [len(held) for held in epochs] == [8 * 2 - 1] * 2
    assert epochs[0] != epochs[1]


def test_nothing_is_held_once_mosaics_are_closed(load: Callable[..., SimpleNamespace]) -> None:
    made = load()
    images_of_an_epoch(made, 0)
    assert mosaic_buffer(made.dataset)
    made.dataset.close_mosaic(made.arguments)
    made.loader.reset()
    images_of_an_epoch(made, 1)
    assert mosaic_buffer(made.dataset) == []
    assert set(made.dataset.ims) == {None}


@pytest.mark.parametrize("settings", [{"mosaic": 0}, {"cache": "ram"}, {"mode": "val"}])
def test_nothing_is_loaded_ahead_where_no_mosaic_is_made_of_it(
    load: Callable[..., SimpleNamespace], settings: dict[str, Any]
) -> None:
    made = load(deterministic=False, **settings)
    assert len(images_of_an_epoch(made, 0)) == IMAGES
    assert mosaic_buffer(made.dataset) == []


def test_without_loader_processes_the_images_at_hand_are_the_librarys_own(
    load: Callable[..., SimpleNamespace],
) -> None:
    made = load(workers=0)
    first = next(iter(made.loader))
    assert [made.dataset.im_files[number] for number in mosaic_buffer(made.dataset)] == [*first["im_file"]]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("settings", "images"),
    [
        ({}, IMAGES),
        ({"mode": "val"}, IMAGES),
        ({"world": World(1, 2)}, IMAGES // 2),
        ({"batch": 5}, IMAGES),
    ],
    ids=["training", "validation", "one of two", "a smaller last batch"],
)
def test_no_more_images_are_loaded_than_an_epoch_has(
    load: Callable[..., SimpleNamespace], workers: int, settings: dict[str, Any], images: int
) -> None:
    made = load(workers=workers, **settings)
    assert len(made.loader.sampler) == images
    for epoch in range(3):
        made.drawn.clear()
        made.epoch = epoch
        batches = [batch["im_file"] for batch in made.loader]
        assert len(batches) == len(made.loader)
        assert [made.dataset.im_files[number] for number in made.drawn] == [name for batch in batches for name in batch]
        assert len({*made.drawn}) == images


def test_validation_keeps_the_order_of_the_images(load: Callable[..., SimpleNamespace]) -> None:
    made = load(mode="val")
    for _ in range(2):
        assert [name for batch in made.loader for name in batch["im_file"]] == made.dataset.im_files


def test_an_epoch_that_was_left_early_starts_anew(load: Callable[..., SimpleNamespace]) -> None:
    made = load()
    whole = images_of_an_epoch(made, 0)
    assert torch.equal(next(iter(made.loader))["img"], whole[:BATCH])
    assert torch.equal(images_of_an_epoch(made, 0), whole)
