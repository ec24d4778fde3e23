"""Operations on a trained model and dry runs, by a real service of the fake framework, which computes in numpy."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from data_kit import ObjectStore, open_store
from trainer_kit.testing.service_process import ServiceProcess
from trainer_kit.testing.specs import assert_problem, bodies, changed
from vision_contracts import (
    Artifact,
    Checkpoint,
    Failed,
    Finished,
    JobSpec,
    Metrics,
    PredictionReport,
    Started,
    metric_names,
)

RUN_WITHOUT_THE_PLATFORM = """
import runpy, sys
for name in ("torch", "timm", "trainer_kit", "data_kit", "vision_contracts", "pydantic", "onnx"):
    sys.modules[name] = None
sys.path.insert(0, "")
runpy.run_path("predict.py", run_name="__main__")
"""
"""Script that runs a bundle's example while the platform and its libraries cannot be imported."""


@pytest.fixture(scope="module")
def store(service: ServiceProcess) -> ObjectStore:
    return open_store((service.data_dir / "storage").as_uri())


@pytest.fixture
def trained(service: ServiceProcess, spec: JobSpec) -> JobSpec:
    """Spec of a finished training, with its best checkpoint as initial weights."""
    short = service.begin_ok(changed(spec, epochs=3, hyperparameters={}))
    events = list(service.follow(short))
    best = next(one for one in reversed(bodies(events, Checkpoint)) if one.is_best)
    return changed(short, attempt=2, initial_weights={"uri": best.uri, "sha256": best.sha256})


def test_a_prediction_has_a_result_and_a_drawing_of_each_image(
    service: ServiceProcess, trained: JobSpec, store: ObjectStore, dataset_path: Path, tmp_path: Path
) -> None:
    red = next(dataset_path.rglob("red/*"))
    huge = tmp_path / "huge.png"
    Image.new("1", (10_000, 6_000)).save(huge)
    files = [("red.png", red.read_bytes()), ("broken.png", b"no picture"), ("huge.png", huge.read_bytes())]
    images = [{"name": name, "uri": store.put_bytes(data, f"inputs/{name}").uri} for name, data in files]
    requested = changed(trained, kind="predict", work={"kind": "predict", "images": images, "top_k": 2})

    events = list(service.follow(service.begin_ok(requested)))

    assert isinstance(events[-1].body, Finished), events[-1].body
    assert bodies(events, Started)[0].num_classes == 3
    made = {artifact.name: artifact for artifact in bodies(events, Artifact)}
    report = PredictionReport.model_validate_json(store.read_bytes(made["predictions.json"].uri))
    first, broken, large = report.images
    assert (first.labels[0].label, len(first.labels), first.drawing) == ("red", 2, "drawings/0.png")
    assert made["drawings/0.png"].content_type == "image/png"
    assert [each.error and each.error.code for each in (broken, large)] == ["image_broken", "image_too_large"]


def test_a_broken_checkpoint_fails_with_its_reason(
    service: ServiceProcess, trained: JobSpec, store: ObjectStore
) -> None:
    uri = store.put_bytes(b"no checkpoint", "inputs/none.npz").uri
    work = {"kind": "predict", "images": [{"name": "a", "uri": uri}]}
    requested = changed(trained, kind="predict", work=work, initial_weights={"uri": uri})
    ending = list(service.follow(service.begin_ok(requested)))[-1].body
    assert isinstance(ending, Failed)
    assert ending.reason == "weights_unavailable"


def test_a_dry_run_measures_real_steps_and_saves_nothing(service: ServiceProcess, spec: JobSpec) -> None:
    requested = changed(spec, kind="preflight", work={"kind": "preflight", "steps": 3})
    events = list(service.follow(service.begin_ok(requested)))
    assert isinstance(events[-1].body, Finished), events[-1].body
    [measured] = bodies(events, Metrics)
    assert measured.values["preflight/seconds_per_step"] >= 0.02
    assert measured.values["preflight/steps_per_epoch"] > 0
    assert not bodies(events, Checkpoint)
    assert metric_names.TRAIN_LOSS not in measured.values


def test_an_unknown_kind_of_job_is_refused(
    service: ServiceProcess, spec: JobSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds = service.ready().kinds
    assert {"train", "preflight", "predict"} <= set(kinds)
    body = spec.model_dump(mode="json") | {"kind": "dream"}
    problem = assert_problem(service.client.post("/training/start", json=body), 422, "validation_failed")
    assert [error.field for error in problem.errors or []] == ["kind"]


def test_a_bundle_runs_alone_and_predicts_as_the_platform(
    service: ServiceProcess, trained: JobSpec, store: ObjectStore, dataset_path: Path, tmp_path: Path
) -> None:
    requested = changed(trained, kind="export", work={"kind": "export", "format": "bundle", "name": "Colours"})
    events = list(service.follow(service.begin_ok(requested)))
    assert isinstance(events[-1].body, Finished), events[-1].body
    bundle = next(artifact for artifact in bodies(events, Artifact) if artifact.kind == "export")
    assert bundle.name == "exports/bundle.zip"
    store.get_file(bundle.uri, tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        archive.extractall(tmp_path / "bundle")
    image = next(dataset_path.rglob("red/*"))

    alone = [sys.executable, "-c", RUN_WITHOUT_THE_PLATFORM, str(image)]
    done = subprocess.run(alone, cwd=tmp_path / "bundle", capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[str(image)]["labels"][0]["label"] == "red"
    facts = json.loads((tmp_path / "bundle/model.json").read_text())
    assert (facts["name"], facts["class_names"]) == ("Colours", ["blue", "green", "red"])
    assert max(facts["largest_difference"].values()) <= facts["tolerance"]
    assert '\nlibrary_name: "onnx"\n' in (tmp_path / "bundle/README.md").read_text()


@pytest.mark.parametrize(
    ("format", "reason"), [("onnx", None), ("safetensors", None), ("torchscript", "export_not_supported")]
)
def test_an_export_is_made_or_refused_with_its_reason(
    service: ServiceProcess, trained: JobSpec, format: str, reason: str | None
) -> None:
    requested = changed(trained, kind="export", work={"kind": "export", "format": format})
    events = list(service.follow(service.begin_ok(requested)))
    ending = events[-1].body
    assert (ending.reason if isinstance(ending, Failed) else None) == reason
    assert [artifact.name for artifact in bodies(events, Artifact)] == (
        [f"exports/model.{format}"] if not reason else []
    )
