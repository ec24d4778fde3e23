import pickle
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from jobs import run_job
from shapes import write_bars, write_blank

from ultralytics_service import weights
from ultralytics_service.architectures import find_architecture
from ultralytics_service.model import build_model
from vision_contracts import EndReason


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    return write_blank(tmp_path / "colours", side=32, classes=2, train=4, val=2)


@pytest.fixture
def weights_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No network: the port of nobody answers at once."""
    monkeypatch.setattr(weights, "RELEASE", "http://127.0.0.1:9/nothing")
    monkeypatch.setenv(weights.WEIGHTS_DIR, str(tmp_path / "weights"))
    return tmp_path / "weights"


def test_pretrained_weights_that_cannot_be_had_end_the_job_within_seconds(
    tmp_path: Path, colours: Path, weights_folder: Path
) -> None:
    started = time.monotonic()
    failure = run_job(tmp_path / "job", "yolov8n-cls", colours, initial_weights="pretrained").failure
    assert failure.reason is EndReason.WEIGHTS_UNAVAILABLE
    assert "yolov8n-cls.pt" in failure.message
    assert str(weights_folder) in failure.message
    assert weights.WEIGHTS_DIR in failure.message
    assert time.monotonic() - started < 10
    assert list(weights_folder.iterdir()) == []


def test_a_network_without_published_weights_says_so(tmp_path: Path, weights_folder: Path) -> None:
    bars = write_bars(tmp_path / "bars", "detect")
    failure = run_job(tmp_path / "job", "yolov6n", bars, initial_weights="pretrained").failure
    assert failure.reason is EndReason.WEIGHTS_UNAVAILABLE
    assert "pretrained_available" in failure.message


def test_pretrained_weights_from_a_mounted_folder_are_what_training_starts_from(
    tmp_path: Path, colours: Path, weights_folder: Path
) -> None:
    network = build_model(find_architecture("yolov8n-cls")).half()
    torch.nn.init.constant_(network.model[0].conv.weight, 0.25)
    weights_folder.mkdir()
    torch.save({"model": network, "ema": None}, weights_folder / "yolov8n-cls.pt")
    frozen = {"hyperparameters": {"freeze": 1}, "initial_weights": "pretrained"}
    attempt = run_job(tmp_path / "job", "yolov8n-cls", colours, **frozen)
    assert attempt.exit_code == 0, attempt.failure.message
    learnt = torch.load(attempt.checkpoint, weights_only=True)["ema"]
    assert set(learnt["model.0.conv.weight"].flatten().tolist()) == {0.25}


def test_a_file_in_the_weights_folder_cannot_run_code(tmp_path: Path, colours: Path, weights_folder: Path) -> None:
    weights_folder.mkdir()
    torch.save({"model": Hostile(tmp_path / "owned")}, weights_folder / "yolov8n-cls.pt")
    failure = run_job(tmp_path / "job", "yolov8n-cls", colours, initial_weights="pretrained").failure
    assert failure.reason is EndReason.WEIGHTS_UNAVAILABLE
    assert not (tmp_path / "owned").exists()


class Hostile:
    """Touches a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.target,))


def write_pickle(path: Path, target: Path) -> None:
    path.write_bytes(pickle.dumps(Hostile(target), protocol=2))


def write_torch_pickle(path: Path, target: Path) -> None:
    torch.save({"format": "ultralytics-service/1", "model": Hostile(target)}, path)


def write_noise(path: Path, target: Path) -> None:
    path.write_bytes(b"PK\x03\x04 this is no archive" * 100)


def write_other(path: Path, target: Path) -> None:
    torch.save({"state_dict": {"weight": torch.zeros(2)}}, path)


def write_incomplete(path: Path, target: Path) -> None:
    torch.save({"format": "ultralytics-service/1", "model_name": "yolov8n-cls", "names": 3}, path)


@pytest.mark.parametrize("write", [write_pickle, write_torch_pickle, write_noise, write_other, write_incomplete])
def test_a_file_that_is_no_checkpoint_of_ours_is_refused_and_never_run(
    tmp_path: Path, colours: Path, write: Any
) -> None:
    write(tmp_path / "last.pt", tmp_path / "owned")
    failure = run_job(tmp_path / "job", "yolov8n-cls", colours, initial_checkpoint=tmp_path / "last.pt").failure
    assert failure.reason is EndReason.WEIGHTS_UNAVAILABLE
    assert not (tmp_path / "owned").exists()


def test_the_description_in_a_checkpoint_is_never_built_from(tmp_path: Path, colours: Path) -> None:
    first = run_job(tmp_path / "first", "yolov8n-cls", colours)
    content = torch.load(first.checkpoint, weights_only=True)
    content["yaml"]["activation"] = f"__import__('pathlib').Path({str(tmp_path / 'owned')!r}).touch()"
    torch.save(content, tmp_path / "changed.pt")
    second = run_job(tmp_path / "second", "yolov8n-cls", colours, initial_checkpoint=tmp_path / "changed.pt")
    assert second.exit_code == 0
    assert not (tmp_path / "owned").exists()


def test_an_earlier_job_with_other_classes_gives_all_weights_that_fit(tmp_path: Path, colours: Path) -> None:
    three = write_blank(tmp_path / "three", side=32, classes=3)
    first = run_job(tmp_path / "first", "yolov8n-cls", three)
    second = run_job(
        tmp_path / "second", "yolov8n-cls", colours, initial_checkpoint=first.checkpoint, hyperparameters={"freeze": 1}
    )
    earlier, later = (torch.load(run.checkpoint, weights_only=True)["ema"] for run in (first, second))
    torch.testing.assert_close(later["model.0.conv.weight"], earlier["model.0.conv.weight"])
    assert later["model.9.linear.weight"].shape[0] == 2
    lines = [message.message for message in second.of_type("log")]
    total = len(later)
    assert f"Took {total - 2} of {total} tensors of weights." in lines
    assert any("model.9.linear.weight" in line for line in lines)


def test_a_classifier_gives_its_backbone_to_a_detector(tmp_path: Path, colours: Path) -> None:
    first = run_job(tmp_path / "first", "yolov8n-cls", colours)
    frozen = {"initial_checkpoint": first.checkpoint, "hyperparameters": {"freeze": 1}}
    second = run_job(tmp_path / "second", "yolov8n", write_bars(tmp_path / "bars", "detect"), **frozen)
    earlier, later = (torch.load(run.checkpoint, weights_only=True)["ema"] for run in (first, second))
    torch.testing.assert_close(later["model.0.conv.weight"], earlier["model.0.conv.weight"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_devices": 9}, "num_devices"),
        ({"learning_rate": 2.0}, "learning_rate"),
        ({"device": "cuda:7"}, "cuda:7"),
        ({"hyperparameters": {"freeze": 100}}, "freeze"),
        ({"hyperparameters": {"lr0": 0.1}}, "hyperparameters.lr0"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_its_name(
    tmp_path: Path, colours: Path, changes: dict[str, Any], words: str
) -> None:
    failure = run_job(tmp_path / "job", "yolov8n-cls", colours, **changes).failure
    assert failure.reason is EndReason.BAD_HYPERPARAMETERS
    assert words in failure.message


def test_a_batch_of_one_that_normalisation_cannot_take_is_refused(tmp_path: Path) -> None:
    colours = write_blank(tmp_path / "colours", side=32, classes=2, train=5)
    failure = run_job(
        tmp_path / "job", "yolov8n-cls", colours, batch_size=3, hyperparameters={"image_size": 32}
    ).failure
    assert failure.reason is EndReason.BAD_HYPERPARAMETERS
    assert "batch" in failure.message


def test_objects_missing_from_all_training_images_are_bad_data(tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "bars", "detect")
    for file in (bars / "labels" / "train").iterdir():
        file.write_text("")
    assert run_job(tmp_path / "job", "yolov8n", bars).failure.reason is EndReason.BAD_DATA


def test_validation_images_without_objects_do_not_stop_training(tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "bars", "detect", classes=1)
    for file in (bars / "labels" / "val").iterdir():
        file.write_text("")
    attempt = run_job(tmp_path / "job", "yolov8n", bars)
    assert attempt.exit_code == 0, attempt.failure.message
    assert attempt.of_type("finished")[0].values["val/map50_95"] == 0


def test_a_loss_that_is_not_a_number_ends_the_job(tmp_path: Path, colours: Path, monkeypatch: Any) -> None:
    criterion = "ultralytics.utils.loss.v8ClassificationLoss.__call__"
    loss = torch.tensor(float("nan"), requires_grad=True)
    monkeypatch.setattr(criterion, lambda *_: (loss, {"loss": loss.detach()}))
    assert run_job(tmp_path / "job", "yolov8n-cls", colours).failure.reason is EndReason.NAN_LOSS
