"""Settings of a job are those that the library builds and trains with: seen in its own objects, setting by setting."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from jobs import CARDS, PARAMS
from pydantic.fields import FieldInfo
from shapes import write_bars, write_blank

from data_kit import open_dataset
from trainer_kit.trainer import TrainingRun
from ultralytics_service.architectures import find_architecture
from ultralytics_service.build import library_arguments
from ultralytics_service.catalog import OPTIMIZERS
from ultralytics_service.config import HYPERPARAMETERS
from ultralytics_service.data import lay_out
from ultralytics_service.kinds import Kind
from ultralytics_service.library import torch
from ultralytics_service.trainer import TRAINERS, JobMixin
from vision_contracts import DatasetRef, JobSpec, TrainingParams

SMALLEST = {
    Kind.DETECT: "yolov8n",
    Kind.RTDETR: "yolov8n-rtdetr",
    Kind.SEGMENT: "yolov8n-seg",
    Kind.POSE: "yolov8n-pose",
    Kind.OBB: "yolov8n-obb",
    Kind.SEMANTIC: "yolo26n-sem",
    Kind.CLASSIFY: "yolov8n-cls",
}
EPOCHS = 8


def build_trainer(folder: Path, kind: Kind, hyperparameters: dict[str, Any], **params: Any) -> JobMixin:
    task = "detect" if kind is Kind.RTDETR else str(kind)
    root = folder / "source"
    source = write_blank(root, side=32, classes=2) if kind is Kind.CLASSIFY else write_bars(root, task)
    card = CARDS[SMALLEST[kind]]
    spec = JobSpec(
        job_uid="0191e4a8-0000-7000-8000-000000000000",
        attempt=1,
        framework="ultralytics",
        model_name=card.model_name,
        task_type=kind.task_type,
        dataset=DatasetRef(uri=source.as_uri()),
        output_uri=folder.as_uri(),
        params=TrainingParams(**PARAMS | params),
    )
    dataset = open_dataset(source, task_type=kind.task_type)
    settings = HYPERPARAMETERS[kind].model_validate(hyperparameters)
    run = TrainingRun(
        spec=spec, card=card, hyperparameters=settings, dataset=dataset, folder=folder, send=lambda _: None
    )
    data = lay_out(dataset, kind, folder / "data")
    arguments = library_arguments(run, device="cpu", data=str(data))
    return TRAINERS[kind](run, find_architecture(card.model_name), None, None, arguments)


def transforms(trainer: JobMixin) -> Any:
    dataset = trainer.train_loader.dataset
    return dataset.torch_transforms if trainer.architecture.kind is Kind.CLASSIFY else dataset.transforms


def every_step(transform: Any) -> Iterator[Any]:
    for step in getattr(transform, "transforms", ()):
        yield step
        yield from every_step(step)


def of_step(name: str, attribute: str, **wanted: Any) -> Callable[[JobMixin], Any]:
    """An attribute of the transform of that class, as the library has built it; None if there is none."""

    def read(trainer: JobMixin) -> Any:
        steps = [step for step in every_step(transforms(trainer)) if type(step).__name__ == name]
        fitting = [step for step in steps if all(getattr(step, key) == value for key, value in wanted.items())]
        return getattr(fitting[0], attribute) if fitting else None

    return read


def of_loss(name: str) -> Callable[[JobMixin], Any]:
    return lambda trainer: getattr(trainer.model.init_criterion().hyp, name)


def has_class_weights(trainer: JobMixin) -> bool:
    criterion = trainer.model.init_criterion()
    weights = criterion.ce.weight if trainer.architecture.kind is Kind.SEMANTIC else criterion.class_weights
    return weights is not None


def schedule(trainer: JobMixin) -> str:
    first, last = trainer.lf(0), trainer.lf(EPOCHS)
    quarter = (trainer.lf(EPOCHS // 4) - last) / (first - last)
    return {0.75: "linear", round((1 + math.cos(math.pi / 4)) / 2, 3): "cosine"}[round(quarter, 3)]


def frozen_layers(trainer: JobMixin) -> int:
    frozen = [name for name, weight in trainer.model.named_parameters() if not weight.requires_grad]
    return len({name.split(".")[1] for name in frozen if ".dfl" not in name})


def sizes_of_batches(trainer: JobMixin) -> int:
    trainer.epoch = 0
    batch = next(iter(trainer.train_loader))
    return len({trainer.preprocess_batch(dict(batch))["img"].shape for _ in range(30)})


def policy(trainer: JobMixin) -> str:
    names = {type(step).__name__.lower() for step in every_step(transforms(trainer))}
    return next((name for name in ("randaugment", "autoaugment", "augmix") if name in names), "none")


def crop(trainer: JobMixin) -> float:
    return round(1 - of_step("RandomResizedCrop", "scale")(trainer)[0], 6)


def keeps_images(trainer: JobMixin) -> str:
    dataset = trainer.train_loader.dataset
    is_kept = dataset.cache_ram if trainer.architecture.kind is Kind.CLASSIFY else dataset.cache == "ram"
    return "ram" if is_kept else "none"


def of_group(name: str) -> Callable[[JobMixin], Any]:
    return lambda trainer: max(group[name] for group in trainer.optimizer.param_groups)


SEEN: dict[str, Callable[[JobMixin], Any]] = {
    "image_size": lambda trainer: trainer.train_loader.dataset.imgsz,
    "freeze": frozen_layers,
    "patience": lambda trainer: trainer.stopper.patience,
    "scheduler": schedule,
    "final_lr": lambda trainer: trainer.lf(EPOCHS),
    "momentum": lambda trainer: of_group("betas")(trainer)[0],
    "weight_decay": of_group("weight_decay"),
    "warmup": lambda trainer: trainer._get_warmup_iterations(10**6) / 10**6 / EPOCHS,
    "scale": of_step("RandomPerspective", "scale"),
    "horizontal_flip": of_step("RandomFlip", "p", direction="horizontal"),
    "vertical_flip": of_step("RandomFlip", "p", direction="vertical"),
    "hsv_h": of_step("RandomHSV", "hgain"),
    "hsv_s": of_step("RandomHSV", "sgain"),
    "hsv_v": of_step("RandomHSV", "vgain"),
    "mixed_precision": lambda trainer: trainer.args.amp,
    "deterministic": lambda _: torch.are_deterministic_algorithms_enabled(),
    "workers": lambda trainer: library_arguments(trainer.run, device="cuda:0", data="")["workers"],
    "cache": keeps_images,
    "rotation": of_step("RandomPerspective", "degrees"),
    "translate": of_step("RandomPerspective", "translate"),
    "shear": of_step("RandomPerspective", "shear"),
    "perspective": of_step("RandomPerspective", "perspective"),
    "bgr": of_step("Format", "bgr"),
    "mosaic": of_step("Mosaic", "p"),
    "close_mosaic": lambda trainer: trainer.args.close_mosaic,
    "mixup": of_step("MixUp", "p"),
    "cutmix": of_step("CutMix", "p"),
    "single_cls": lambda trainer: trainer.data["nc"] == 1,
    "box": of_loss("box"),
    "cls": of_loss("cls"),
    "dfl": of_loss("dfl"),
    "iou": lambda trainer: trainer.validator.args.iou,
    "max_det": lambda trainer: trainer.validator.args.max_det,
    "copy_paste": of_step("CopyPaste", "p"),
    "copy_paste_mode": of_step("CopyPaste", "mode"),
    "overlap_mask": of_step("Format", "mask_overlap"),
    "mask_ratio": of_step("Format", "mask_ratio"),
    "pose": of_loss("pose"),
    "kobj": of_loss("kobj"),
    "rle": of_loss("rle"),
    "angle": of_loss("angle"),
    "drop_rate": lambda trainer: trainer.model.model[-1].drop.p,
    "auto_augment": policy,
    "random_erasing": of_step("RandomErasing", "p"),
}
"""Each setting's value, read from what the library trains with."""

SEEN_OF_KIND: dict[Kind, dict[str, Callable[[JobMixin], Any]]] = {
    Kind.CLASSIFY: {
        "image_size": lambda trainer: of_step("RandomResizedCrop", "size")(trainer)[0],
        "scale": crop,
        "horizontal_flip": of_step("RandomHorizontalFlip", "p"),
        "vertical_flip": of_step("RandomVerticalFlip", "p"),
        "hsv_h": lambda trainer: of_step("ColorJitter", "hue")(trainer)[1],
        "hsv_s": lambda trainer: round(of_step("ColorJitter", "saturation")(trainer)[1] - 1, 6),
        "hsv_v": lambda trainer: round(of_step("ColorJitter", "brightness")(trainer)[1] - 1, 6),
    },
    Kind.SEMANTIC: {"bgr": of_step("SemanticFormat", "bgr")},
}
SEEN_AS_SWITCH = {"multi_scale": lambda trainer: sizes_of_batches(trainer) > 1, "cls_pw": has_class_weights}
SEEN_IN_TRAINING = ("warmup_momentum", "warmup_bias_lr", "plots")


def test_every_setting_is_looked_for() -> None:
    for settings in HYPERPARAMETERS.values():
        assert set(settings.model_fields) <= {*SEEN, *SEEN_AS_SWITCH, *SEEN_IN_TRAINING}


def another_value(name: str, field: FieldInfo) -> Any:
    """Any value but the default."""
    if name in ("image_size", "multi_scale"):
        return {"image_size": 160, "multi_scale": 0.5}[name]
    if isinstance(field.default, bool):
        return not field.default
    if isinstance(field.default, str):
        return next(choice for choice in reversed(get_args(field.annotation)) if choice != field.default)
    if isinstance(field.default, int):
        return field.default + 1
    return 0.007 if field.default != 0.007 else 0.008


def see(folder: Path, kind: Kind, hyperparameters: dict[str, Any]) -> dict[str, Any]:
    trainer = build_trainer(folder, kind, hyperparameters, epochs=EPOCHS)
    trainer._setup_train()
    eyes = SEEN | SEEN_AS_SWITCH | SEEN_OF_KIND.get(kind, {})
    return {name: eyes[name](trainer) for name in HYPERPARAMETERS[kind].model_fields if name in eyes}


@pytest.mark.parametrize("kind", Kind)
def test_every_setting_is_the_one_that_the_library_trains_with(tmp_path: Path, kind: Kind) -> None:
    fields = HYPERPARAMETERS[kind].model_fields
    changed = {name: another_value(name, field) for name, field in fields.items()}
    alone = {"auto_augment": changed.pop("auto_augment")} if kind is Kind.CLASSIFY else {}  # replaces `hsv_…`

    before, after = see(tmp_path / "before", kind, {}), see(tmp_path / "after", kind, changed)

    for name in before.keys() & changed.keys():
        assert before[name] != after[name], name
        if name not in SEEN_AS_SWITCH:
            assert after[name] == (pytest.approx(changed[name]) if isinstance(changed[name], float) else changed[name])
    if alone:
        trainer = build_trainer(tmp_path / "alone", kind, alone)
        trainer._setup_train()
        assert policy(trainer) == alone["auto_augment"]


def test_the_warm_up_begins_where_its_settings_say(tmp_path: Path) -> None:
    settings = {"warmup": 0.5, "warmup_bias_lr": 0.05, "warmup_momentum": 0.35, "plots": False}
    trainer = build_trainer(tmp_path, Kind.CLASSIFY, settings, optimizer="sgd", epochs=2, batch_size=16)
    seen: list[tuple[str, float, float]] = []

    def look(_: JobMixin) -> None:
        seen.extend((group["param_group"], group["lr"], group["momentum"]) for group in trainer.optimizer.param_groups)

    trainer.add_callback("on_train_batch_end", look)
    trainer.train()

    assert {(name, rate, momentum) for name, rate, momentum in seen[:3]} == {
        ("weight", 0.0, 0.35), ("bn", 0.0, 0.35), ("bias", 0.05, 0.35),
    }  # fmt: skip


def test_the_users_optimizer_learning_rate_and_batch_are_the_ones_used(tmp_path: Path) -> None:
    trainer = build_trainer(tmp_path, Kind.DETECT, {}, optimizer="sgd", learning_rate=0.0123, batch_size=3, epochs=7)
    trainer._setup_train()
    assert type(trainer.optimizer).__name__ == "SGD"
    assert {group["initial_lr"] for group in trainer.optimizer.param_groups} == {0.0123}
    assert (trainer.accumulate, trainer.batch_size, trainer.epochs) == (1, 3, 7)
    assert {group["weight_decay"] for group in trainer.optimizer.param_groups} == {0.0005, 0.0}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_of_the_card_is_the_librarys_own(tmp_path: Path, optimizer: str) -> None:
    trainer = build_trainer(tmp_path, Kind.CLASSIFY, {}, optimizer=optimizer)
    trainer.setup_model()
    built = trainer.build_optimizer(trainer.model, trainer.args.optimizer, lr=trainer.args.lr0)
    assert type(built).__name__.lower() == optimizer
