"""Operations on a trained classifier: one training for all of them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from trainings import Training, draw_shapes, get_card, make_spec, open_shapes

from data_kit import Split, load_image
from timm_service.adapter import adapter
from timm_service.checkpoint import load_checkpoint
from timm_service.data import Images
from timm_service.network import preprocessing
from timm_service.transforms import validation_transform
from trainer_kit.inference import portable
from trainer_kit.testing.operations import FinishedOperation, predict_operation, run_operation
from trainer_kit.trainer import TrainingRun
from vision_contracts import EvaluateOperation, EvaluationReport, ExportFormat, ExportOperation, Operation, TaskType

MODEL = "test_resnet"


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_shapes(tmp_path_factory.mktemp("shapes"), train=8, val=3)


@pytest.fixture(scope="module")
def checkpoint(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    card = get_card(MODEL)
    training: Training
    run = TrainingRun(
        spec=make_spec(card, "scratch", {"epochs": 12}),
        card=card,
        hyperparameters=adapter.hyperparameters(card)(image_size=32),
        dataset=open_shapes(shapes),
        folder=tmp_path_factory.mktemp("training"),
        send=lambda message: training.receive(message),
    )
    training = Training(run)
    training.train()
    assert run.best_checkpoint is not None
    return run.best_checkpoint


def work(folder: Path, work: Operation, checkpoint: Path, **inputs: Any) -> FinishedOperation:
    return run_operation(
        adapter, "timm_service.adapter:adapter", folder / "work", work,
        model_name=MODEL, task_type=TaskType.IMAGE_CLASSIFICATION, checkpoint=checkpoint, **inputs,
    )  # fmt: skip


def test_a_prediction_names_the_right_class_of_every_validation_image(
    shapes: Path, checkpoint: Path, tmp_path: Path
) -> None:
    images = sorted((shapes / "val").rglob("*.png"))
    done = work(tmp_path, predict_operation(images, top_k=2), checkpoint, images=images)
    assert [answer.labels[0].label for answer in done.report.images] == [image.parent.name for image in images]
    assert all(len(answer.labels) == 2 for answer in done.report.images)
    assert load_image(done.files["drawings/0.png"]).width >= 320


def test_images_are_prepared_exactly_as_in_the_validation_of_the_training(shapes: Path, checkpoint: Path) -> None:
    config = load_checkpoint(checkpoint)["data_config"]
    for changes in ({}, {"crop_pct": 0.9, "interpolation": "bilinear"}, {"crop_mode": "squash"}):
        changed = config | changes
        theirs = Images(open_shapes(shapes), Split.VAL, validation_transform(changed))

        ours = preprocessing(changed).model_dump(mode="json")
        sample = theirs.samples[0]
        pixels, _ = portable.prepare(load_image(sample.image), ours)
        assert torch.allclose(theirs[0, 0][0], torch.from_numpy(pixels), atol=1e-6)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, shapes: Path) -> None:
    image = next(shapes.rglob("*.png"))
    for name, content in (("a.pt", b"nothing"), ("b.pt", None)):
        path = tmp_path / name
        if content is None:
            torch.save({"model": {}, "ema": None}, path)
        else:
            path.write_bytes(content)
        done = work(tmp_path / name.partition(".")[0], predict_operation([image]), path, images=[image])
        assert done.failure.reason == "weights_unavailable"


@pytest.mark.parametrize("format", ExportFormat)
def test_an_export_computes_what_the_original_does(
    shapes: Path, checkpoint: Path, tmp_path: Path, format: ExportFormat
) -> None:
    done = work(tmp_path, ExportOperation(format=format), checkpoint, dataset=shapes)
    assert done.values == {}
    assert [name for name in done.files if name.startswith("exports/")] == list(done.files)


def test_an_evaluation_finds_the_accuracy_that_the_training_reported(
    shapes: Path, checkpoint: Path, tmp_path: Path
) -> None:
    done = work(tmp_path, EvaluateOperation(split="val"), checkpoint, dataset=shapes)
    history = load_checkpoint(checkpoint)["history"]
    best = max(values["val/accuracy"] for values in history.values())
    assert done.values == {"val/accuracy": best}
    report = EvaluationReport.model_validate_json(done.files["evaluations/folder-val.json"].read_bytes())
    assert (report.splits["val"].images, report.splits["val"].values["accuracy"]) == (9, best)


def test_a_split_or_class_that_is_not_there_is_refused(shapes: Path, checkpoint: Path, tmp_path: Path) -> None:
    none = work(tmp_path / "a", EvaluateOperation(split="test"), checkpoint, dataset=shapes)
    others = draw_shapes(tmp_path / "others", train=1, val=1)
    (others / "train/circle").rename(others / "train/ball")
    (others / "val/circle").rename(others / "val/ball")
    unknown = work(tmp_path / "b", EvaluateOperation(), checkpoint, dataset=others)
    assert [done.failure.reason for done in (none, unknown)] == ["bad_data", "bad_data"]
    assert "ball" in unknown.failure.message
