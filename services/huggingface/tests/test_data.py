"""Batches, their order and their random changes; and sizes of images."""

from collections import namedtuple
from pathlib import Path

import pytest
import torch
from attempts import CLASSIFIER
from conftest import StartTraining

from data_kit import open_dataset
from huggingface_service import data
from huggingface_service.architectures import find_architecture
from huggingface_service.checkpoint import load_checkpoint, load_initial_checkpoint
from huggingface_service.config import LabelingHyperparameters
from huggingface_service.data import EpochSampler, ImageSet, usable_workers
from huggingface_service.image_size import choose_image_size
from huggingface_service.tasks.classification import ImageClassification
from huggingface_service.transforms import training_transform, validation_transform

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def make_set(colors: Path, **settings: float) -> ImageSet:
    dataset = open_dataset(colors)
    hyperparameters = LabelingHyperparameters(**settings)
    task = ImageClassification(dataset, hyperparameters)
    return ImageSet(dataset["train"], task.read, training_transform(hyperparameters, 32, "imagenet"), seed=3)


def test_each_epoch_has_an_order_of_its_own_which_the_seed_decides() -> None:
    def order(seed: int, epoch: int) -> list[tuple[int, int]]:
        sampler = EpochSampler(20, seed=seed)
        sampler.epoch = epoch
        return list(sampler)

    assert order(1, 0) == order(1, 0)
    assert [index for _, index in order(1, 0)] != [index for _, index in order(1, 1)]
    assert [index for _, index in order(1, 0)] != [index for _, index in order(2, 0)]
    assert sorted(order(1, 4)) == [(4, index) for index in range(20)]


def test_random_changes_depend_on_epoch_and_image_but_not_on_what_ran_before(colors: Path) -> None:
    images = make_set(colors)
    first = images[(0, 5)]["image"]
    torch.manual_seed(99)
    images[(0, 6)]

    assert torch.equal(images[(0, 5)]["image"], first)
    assert not torch.equal(images[(1, 5)]["image"], first)


@pytest.mark.parametrize(
    "change",
    [{"min_crop": 0.3}, {"horizontal_flip": 1.0}, {"vertical_flip": 1.0}, {"color_jitter": 0.5}, {"rotation": 45}],
    ids=lambda change: next(iter(change)),
)
def test_each_augmentation_changes_the_image(colors: Path, change: dict[str, float]) -> None:
    off = {"min_crop": 1.0, "horizontal_flip": 0.0, "vertical_flip": 0.0, "color_jitter": 0.0, "rotation": 0.0}
    plain, changed = make_set(colors, **off), make_set(colors, **{**off, **change})

    assert any(not torch.equal(plain[(0, index)]["image"], changed[(0, index)]["image"]) for index in range(4))


def test_without_augmentation_training_sees_what_validation_sees(colors: Path) -> None:
    images = make_set(colors, min_crop=1.0, horizontal_flip=0.0, color_jitter=0.0)
    plain = ImageSet(images.samples, images.read, validation_transform(32, "imagenet"), seed=0)

    assert torch.equal(images[(0, 2)]["image"], plain[2]["image"])


def test_channels_are_reversed_for_checkpoints_that_want_it(colors: Path) -> None:
    images = make_set(colors)
    rgb, bgr = (
        ImageSet(images.samples, images.read, validation_transform(32, name), seed=0)[0]["image"]
        for name in ("unit", "bgr")
    )

    assert torch.equal(rgb.flip(0), bgr)
    assert 0 <= float(rgb.min()) <= float(rgb.max()) <= 1


def test_a_last_image_on_its_own_is_left_out(attempt: StartTraining) -> None:
    done = attempt(params={"batch_size": 17}).run()

    assert list(done.points("train/loss")) == [1]


@pytest.mark.parametrize(
    ("wanted", "device", "free", "expected"),
    [("auto", CPU, 2**40, 0), (3, CPU, 2**40, 3), (3, CUDA, 2**26, 0), (3, CUDA, 2**28, 2), (0, CUDA, 0, 0)],
)
def test_loader_processes_fit_into_shared_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wanted: int, device: torch.device, free: int, expected: int
) -> None:
    usage = namedtuple("usage", "total used free")(2**40, 0, free)
    monkeypatch.setattr(data, "SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(data.shutil, "disk_usage", lambda _: usage)

    workers, remark = usable_workers(wanted, device)

    assert workers == expected
    assert (remark is not None) == (isinstance(wanted, int) and expected < wanted)


@pytest.mark.parametrize(
    ("model_name", "wanted", "expected"),
    [
        (CLASSIFIER, "auto", 64),
        (CLASSIFIER, 70, 96),
        ("facebook/dinov2-small", "auto", 70),
        ("openai/clip-vit-base-patch32", 224, 224),
        ("google/efficientnet-b2", 260, 260),  # the model's own
        ("google/efficientnet-b2", 261, 288),
        ("rf_detr", 518, 560),  # the configuration's own, which its windows do not divide
    ],
)
def test_images_have_a_size_that_data_and_model_allow(
    attempt: StartTraining, model_name: str, wanted: int | str, expected: int
) -> None:
    run = attempt(model_name=model_name, hyperparameters={"image_size": wanted}).make_run()

    assert choose_image_size(run, find_architecture(model_name)) == expected


def test_a_training_goes_on_at_the_size_of_the_checkpoint_that_it_begins_with(attempt: StartTraining) -> None:
    trained = attempt("earlier").run().checkpoint(5)
    done = attempt("later", initial_checkpoint=trained, hyperparameters={"image_size": "auto"}).run()
    other = attempt("other", initial_checkpoint=trained, hyperparameters={"image_size": "auto"}).make_run()

    assert load_checkpoint(trained).image_size == load_checkpoint(done.checkpoint(5)).image_size == 32
    assert choose_image_size(other, find_architecture("microsoft/resnet-18"), load_initial_checkpoint(other)) == 224
