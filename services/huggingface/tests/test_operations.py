"""Operations on trained models of every task: one short training for each, shared by all tests of it."""

from pathlib import Path
from typing import Any

import pytest
from attempts import Attempt
from drawings import SIDE, draw_colors, draw_squares

from huggingface_service.adapter import adapter
from trainer_kit.testing.operations import FinishedOperation, predict_operation, run_operation
from vision_contracts import EvaluateOperation, ExportFormat, ExportOperation, Operation, TaskType

MODELS = {
    TaskType.IMAGE_CLASSIFICATION: "google/mobilenet_v2_0.35_96",
    TaskType.OBJECT_DETECTION: "hustvl/yolos-tiny",
    TaskType.SEMANTIC_SEGMENTATION: "nvidia/segformer-b0-finetuned-ade-512-512",
    TaskType.INSTANCE_SEGMENTATION: "facebook/maskformer-swin-tiny-coco",
}


class Trained:
    """A model with its data set."""

    def __init__(self, task: TaskType, folder: Path) -> None:
        self.task, self.model_name = task, MODELS[task]
        is_labels = task is TaskType.IMAGE_CLASSIFICATION
        self.data = draw_colors(folder / "data") if is_labels else draw_squares(folder / "data")
        attempt = Attempt(
            folder / "job", self.data, self.model_name, task, hyperparameters={"image_size": 64},
            params={"epochs": 1},
        ).run()  # fmt: skip
        self.checkpoint = attempt.checkpoint(attempt.checkpoints[-1].step)
        pattern = "val/*/*.png" if is_labels else "images/val/*.png"
        self.images = sorted(self.data.glob(pattern))

    def work(self, folder: Path, work: Operation, **inputs: Any) -> FinishedOperation:
        return run_operation(
            adapter, "huggingface_service.adapter:adapter", folder / "work", work, model_name=self.model_name,
            task_type=self.task, checkpoint=self.checkpoint, **inputs,
        )  # fmt: skip


@pytest.fixture(
    scope="module",
    params=[
        TaskType.IMAGE_CLASSIFICATION, TaskType.OBJECT_DETECTION,
        pytest.param(TaskType.SEMANTIC_SEGMENTATION, marks=pytest.mark.thorough),
        pytest.param(TaskType.INSTANCE_SEGMENTATION, marks=pytest.mark.thorough),
    ],
)  # fmt: skip
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(request.param, tmp_path_factory.mktemp(request.param))


def test_a_prediction_has_everything_that_its_task_is_about(trained: Trained, tmp_path: Path) -> None:
    done = trained.work(tmp_path, predict_operation(trained.images[:1], threshold=0.0), images=trained.images[:1])
    [answer] = done.report.images
    assert (answer.error, answer.width, answer.height) == (None, SIDE, SIDE)
    match trained.task:
        case TaskType.IMAGE_CLASSIFICATION:
            assert {label.label for label in answer.labels} == {"red", "green", "blue"}
        case TaskType.OBJECT_DETECTION:
            assert {found.label for found in answer.objects} == {"red", "green"}
            assert all(0 <= found.box[0] <= found.box[2] <= SIDE for found in answer.objects)
        case TaskType.INSTANCE_SEGMENTATION:
            assert {found.label for found in answer.objects} <= {"red", "green"}
            assert answer.objects
            assert all(found.mask is not None for found in answer.objects)
        case _:
            assert all(region.label in ("red", "green") for region in answer.regions)
    assert "drawings/0.png" in done.files


@pytest.mark.parametrize(
    "format", [ExportFormat.ONNX, pytest.param(ExportFormat.TORCHSCRIPT, marks=pytest.mark.thorough)]
)
def test_an_export_computes_what_the_original_does(trained: Trained, tmp_path: Path, format: ExportFormat) -> None:
    done = trained.work(tmp_path, ExportOperation(format=format), dataset=trained.data)
    assert done.values == {}
    assert [name for name in done.files if name.startswith("exports/")] == list(done.files)


def test_an_evaluation_measures_by_the_metric_of_the_task(trained: Trained, tmp_path: Path) -> None:
    done = trained.work(tmp_path, EvaluateOperation(), dataset=trained.data)
    [value] = [number for name, number in done.values.items() if name in ("val/accuracy", "val/map50_95", "val/miou")]
    assert value is not None
    assert 0 <= value <= 1
    assert list(done.files) == ["evaluations/folder-val.json"]
