"""The kit's numbers beside the library's, on predictions that are the labels, more or less."""

from pathlib import Path
from typing import Any

import pytest
from jobs import make_run
from shapes import write_bars

from data_kit import Split
from trainer_kit.evaluation import Evaluator
from ultralytics_service.architectures import find_architecture
from ultralytics_service.build import library_arguments
from ultralytics_service.data import lay_out
from ultralytics_service.library import torch
from ultralytics_service.trainer import TRAINERS, JobMixin
from ultralytics_service.validation import collect_predictions

NETWORKS = {
    "detect": "yolo11n",
    "rtdetr": "yolov8n-rtdetr",
    "segment": "yolo11n-seg",
    "pose": "yolo11n-pose",
    "obb": "yolo11n-obb",
}
LIBRARY = {"segment": "(M)", "pose": "(P)"}
TOLERANCE = {"segment": 0.03}
"""The library scales masks down from outlines of whole pixels, and takes from each what lies on top of it; the kit
takes the cells whose centre an outline holds. Elsewhere 0.01: the library draws lines between its points of precision
over recall, COCO takes steps.
"""
NOISE = {"obb": 0.0}
"""Oriented boxes are equal or not here: where they are not, the library compares Gaussians in their place, which gives
more than the share of their areas that the kit takes (0.51 against 0.30 with a noise of 2 pixels).
"""


def set_up(tmp_path: Path, kind: str) -> JobMixin:
    bars = write_bars(tmp_path / "bars", "detect" if kind == "rtdetr" else kind, train=2, val=24, width=150)
    settings = {"image_size": 512, "overlap_mask": False} if kind == "segment" else {"image_size": 128}
    run = make_run(tmp_path / "job", NETWORKS[kind], bars, **settings)
    architecture = find_architecture(run.spec.model_name)
    data = lay_out(run.dataset, architecture.kind, run.folder / "data")
    arguments = library_arguments(run, device="cpu", data=str(data))
    trainer = TRAINERS[architecture.kind](run, architecture, None, None, arguments)
    trainer.set_up()
    return trainer


def nearly(labels: dict[str, Any], chance: torch.Generator, kind: str) -> dict[str, torch.Tensor]:
    """Every label a little beside its place, and some that are nothing, with scores that do not tell which is which."""
    boxes, classes = labels["bboxes"].clone(), labels["cls"].clone()
    order = torch.randperm(len(classes), generator=chance)
    boxes[:, :4] += NOISE.get(kind, 2.0) * torch.randn(len(boxes), 4, generator=chance)
    found = {
        "bboxes": boxes,
        "cls": torch.where(torch.rand(len(classes), generator=chance) < 0.1, 1 - classes, classes),
    }
    found["conf"] = torch.linspace(0.9, 0.3, len(classes)) + 0.1 * torch.rand(len(classes), generator=chance)
    if kind == "segment":
        found["masks"] = torch.roll(labels["masks"], int(torch.randint(0, 3, (1,), generator=chance)), dims=2)
    if kind == "pose":
        found["keypoints"] = labels["keypoints"] + 4.0 * torch.randn(labels["keypoints"].shape, generator=chance)
    return {name: value[order] if name != "conf" else value for name, value in found.items()}


def measure(trainer: JobMixin, kind: str) -> tuple[Evaluator, dict[str, float]]:
    validator, chance = trainer.validator, torch.Generator().manual_seed(3)
    validator.device, validator.data = trainer.device, trainer.data
    predictions = collect_predictions(trainer.run, trainer.architecture.kind, validator, Split.VAL)
    validator.init_metrics(trainer.model)
    for batch in validator.dataloader:
        shown = validator.preprocess(batch)
        labels = [validator._prepare_batch(index, shown) for index in range(len(shown["img"]))]
        validator.update_metrics([nearly(each, chance, kind) for each in labels], shown)
    return predictions.evaluator, validator.get_stats()


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_kits_numbers_are_close_to_the_librarys(tmp_path: Path, kind: str) -> None:
    evaluator, stats = measure(set_up(tmp_path, kind), kind)
    suffix = LIBRARY.get(kind, "(B)")
    ours, theirs = evaluator.values()["val/map50_95"], stats[f"metrics/mAP50-95{suffix}"]
    assert 0.2 < theirs < 0.95, "neither nothing nor everything is found"
    assert ours == pytest.approx(theirs, abs=TOLERANCE.get(kind, 0.01))
