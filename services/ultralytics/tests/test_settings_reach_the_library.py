from pathlib import Path
from typing import Any, get_args

import pytest
from jobs import CARDS, PARAMS
from pydantic.fields import FieldInfo
from shapes import write_bars, write_blank

from data_kit import open_dataset
from trainer_kit.trainer import TrainingRun
from ultralytics_service.architectures import find_architecture
from ultralytics_service.arguments import library_arguments
from ultralytics_service.catalog import OPTIMIZERS
from ultralytics_service.config import HYPERPARAMETERS
from ultralytics_service.data import lay_out
from ultralytics_service.job_trainer import JOBS, JobMixin
from ultralytics_service.kinds import Kind
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


def another_value(name: str, field: FieldInfo) -> Any:
    """Any value but the default."""
    if name == "image_size":
        return 160
    if isinstance(field.default, bool):
        return not field.default
    if isinstance(field.default, str):
        return next(choice for choice in reversed(get_args(field.annotation)) if choice != field.default)
    if isinstance(field.default, int):
        return field.default + 1
    return 0.007 if field.default != 0.007 else 0.008


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
    run = TrainingRun(spec, card, settings, dataset, folder, lambda _: None)
    data = lay_out(dataset, kind, folder / "data")
    arguments = library_arguments(run, device="cpu", data=str(data))
    return JOBS[kind](run, find_architecture(card.model_name), None, None, arguments)


@pytest.mark.parametrize("kind", Kind)
def test_every_setting_is_the_one_that_the_library_trains_with(tmp_path: Path, kind: Kind) -> None:
    changed = {name: another_value(name, field) for name, field in HYPERPARAMETERS[kind].model_fields.items()}
    changed["plots"] = False
    trainer = build_trainer(tmp_path, kind, changed)
    workers = trainer.run.hyperparameters.workers
    trainer.setup_model()
    expected = changed | {"imgsz": 160, "cache": True, "workers": workers * 0}
    expected.pop("image_size")
    assert {name: getattr(trainer.args, name) for name in expected} == expected


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
