"""Operations on trained networks of every task: one short training for each, shared by all tests of it."""

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from jobs import CARDS, run_job
from shapes import write_bars, write_blank

from trainer_kit.testing.operations import FinishedOperation, predict_operation, run_operation
from trainer_kit.testing.variants import variants
from ultralytics_service.adapter import adapter
from ultralytics_service.kinds import Kind
from ultralytics_service.network import labels_of
from vision_contracts import EvaluateOperation, EvaluationReport, ExportFormat, ExportOperation, Operation

NETWORKS = {
    "classify": "yolov8n-cls",
    "detect": "yolo11n",
    "end2end": "yolo26n",
    "rtdetr": "yolov8n-rtdetr",
    "segment": "yolo11n-seg",
    "semantic": "yolo26n-sem",
    "pose": "yolo26n-pose",
    "obb": "yolo11n-obb",
}
ALWAYS = ("classify", "detect")
"""The others are thorough: what happens to a trained network is the kit's, and the same for all."""


class Trained:
    """A network with its data set."""

    def __init__(self, task: str, folder: Path) -> None:
        self.task, self.model_name = task, NETWORKS[task]
        if task == "classify":
            self.data = write_blank(folder / "data", side=64, classes=3)
        else:
            kind = {"end2end": "detect", "rtdetr": "detect"}.get(task, task)
            self.data = write_bars(folder / "data", kind, train=4, val=2)
        attempt = run_job(folder / "job", self.model_name, self.data, epochs=1, batch_size=2)
        assert attempt.exit_code == 0, attempt.failure.message
        self.checkpoint = attempt.checkpoint

    @property
    def images(self) -> list[Path]:
        return sorted(path for path in self.data.rglob("val/**/*") if path.suffix == ".png")

    def work(self, folder: Path, work: Operation, **inputs: Any) -> FinishedOperation:
        return run_operation(
            adapter, "ultralytics_service.adapter:adapter", folder / "work", work, model_name=self.model_name,
            task_type=CARDS[self.model_name].task_types[0], checkpoint=self.checkpoint, **inputs,
        )  # fmt: skip


@pytest.fixture(
    scope="module",
    params=variants(NETWORKS, quick=ALWAYS),
)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return Trained(request.param, folder)


def test_a_prediction_has_everything_that_its_task_is_about(trained: Trained, tmp_path: Path) -> None:
    done = trained.work(tmp_path, predict_operation(trained.images[:1], threshold=0.0), images=trained.images[:1])
    [answer] = done.report.images
    assert answer.error is None
    if trained.task == "classify":
        assert sum(label.score for label in answer.labels) == pytest.approx(1, abs=1e-3)
    elif trained.task == "semantic":
        assert all(region.label in ("bar0", "bar1") for region in answer.regions)
    else:
        assert 0 < len(answer.objects) <= 300
        best = answer.objects[0]
        assert best.score == max(one.score for one in answer.objects)
        assert 0 <= best.box[0] <= best.box[2] <= 96
        has = (best.mask is not None, best.keypoints is not None, best.corners is not None)
        assert has == tuple(trained.task == task for task in ("segment", "pose", "obb"))
    assert "drawings/0.png" in done.files


def test_an_onnx_file_computes_what_the_original_does(trained: Trained, tmp_path: Path) -> None:
    done = trained.work(tmp_path, ExportOperation(format=ExportFormat.ONNX), dataset=trained.data)
    assert done.values == {}
    [(name, path)] = done.files.items()
    assert name == "exports/model.onnx"
    properties = {one.key: one.value for one in onnx.load(path).metadata_props}
    assert json.loads(properties["model"])["skeleton"] == ([[0, 1]] if trained.task == "pose" else [])


@pytest.mark.thorough
@pytest.mark.parametrize("format", [ExportFormat.TORCHSCRIPT, ExportFormat.SAFETENSORS])
def test_other_formats_do_so_too(trained: Trained, tmp_path: Path, format: ExportFormat) -> None:
    done = trained.work(tmp_path, ExportOperation(format=format), dataset=trained.data)
    assert (done.values, len(done.files)) == ({}, 1)


def test_an_evaluation_measures_by_the_metric_of_the_task(trained: Trained, tmp_path: Path) -> None:
    done = trained.work(tmp_path, EvaluateOperation(), dataset=trained.data)
    [value] = [number for name, number in done.values.items() if name in ("val/accuracy", "val/map50_95", "val/miou")]
    assert value is not None
    assert 0 <= value <= 1
    assert list(done.files) == ["evaluations/folder-val.json"]


@pytest.mark.thorough
def test_a_detector_of_one_class_is_evaluated_by_that_class(tmp_path: Path) -> None:
    data, settings = write_bars(tmp_path / "data", "detect", train=4, val=2), {"single_cls": True}
    job = run_job(tmp_path / "job", NETWORKS["detect"], data, hyperparameters=settings, batch_size=2)
    model_name = NETWORKS["detect"]

    done = run_operation(
        adapter, "ultralytics_service.adapter:adapter", tmp_path / "work", EvaluateOperation(), model_name=model_name,
        task_type=CARDS[model_name].task_types[0], checkpoint=job.checkpoint, dataset=data, hyperparameters=settings,
    )  # fmt: skip

    report = EvaluationReport.model_validate_json(done.files["evaluations/folder-val.json"].read_bytes())
    of_training, of_evaluation = (one.splits["val"].classes for one in (job.report, report))
    assert [(one.name, one.support) for one in of_evaluation] == [(one.name, one.support) for one in of_training]
    assert [(one.name, one.support) for one in of_evaluation] == [("item", 4)]


@pytest.mark.parametrize(
    ("kind", "names", "expected"),
    [
        (Kind.SEMANTIC, ["cat", "background"], (["cat", "background"], 1)),
        (Kind.SEMANTIC, ["background", "cat", "background"], (["background", "cat", "background"], 2)),
        (Kind.SEMANTIC, ["cat"], (["background", "cat"], 0)),
        (Kind.SEMANTIC, ["background"], (["background", "background"], 0)),
        (Kind.DETECT, ["background", "cat"], (["background", "cat"], None)),
    ],
)
def test_the_background_is_the_librarys_whatever_the_classes_are_called(
    kind: Kind, names: list[str], expected: tuple[list[str], int | None]
) -> None:
    assert labels_of(kind, names) == expected
