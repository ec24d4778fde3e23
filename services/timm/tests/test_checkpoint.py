"""Checkpoints: complete or not there, and readable by anyone."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import timm
import torch
from trainings import StartTraining

from data_kit import Split, load_image
from timm_service.build import build_setup, build_state
from timm_service.checkpoint import TrainingState, restore_training, save_checkpoint
from timm_service.model import build_model
from trainer_kit.evaluation import History
from vision_contracts import metric_names


@contextmanager
def largest_file(size_bytes: int) -> Iterator[None]:
    """The operating system refuses to write more, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def new_state(training: StartTraining) -> TrainingState:
    run = training().run
    model = build_model(run, 32)
    return build_state(run, model, build_setup(run, model, 32, torch.device("cpu")))


def test_a_full_disk_keeps_the_checkpoint_before_and_leaves_no_rest(training: StartTraining, tmp_path: Path) -> None:
    state, history, folder = new_state(training), History(metric_names.VAL_ACCURACY), tmp_path / "checkpoints"
    folder.mkdir()
    path, rest = save_checkpoint(folder, state, history, {})
    before = path.read_bytes()
    with largest_file(10_000), pytest.raises((OSError, RuntimeError)) as caught:
        save_checkpoint(folder, state, history, {})
    causes = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert any(isinstance(cause, OSError) and cause.errno for cause in causes)
    assert path.read_bytes() == before
    assert set(folder.iterdir()) == {path, rest}


def test_a_training_with_a_gradient_scaler_goes_on_from_one_without(training: StartTraining, tmp_path: Path) -> None:
    run, without, with_scaler = training().run, new_state(training), new_state(training)
    with_scaler.scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    facts = build_setup(run, without.model, 32, torch.device("cpu")).facts
    path, rest = save_checkpoint(tmp_path, without, run.history, facts)

    restore_training(path, rest, with_scaler, run.history, facts)

    assert with_scaler.scaler.get_scale() == 64


def test_a_checkpoint_alone_is_enough_to_use_the_model(training: StartTraining) -> None:
    """Load it as the README shows: the accuracy that was reported comes out again."""
    result = training(params={"epochs": 3}, ema_decay=0.5).train()
    checkpoint = torch.load(result.checkpoints[-1], weights_only=True)
    model = timm.create_model(
        checkpoint["model_name"], num_classes=len(checkpoint["class_names"]), **checkpoint["model_options"]
    )
    model.load_state_dict(checkpoint["ema"] or checkpoint["model"])
    transform = timm.data.create_transform(**checkpoint["data_config"])
    samples = result.run.dataset[Split.VAL]
    with torch.inference_mode():
        logits = model.eval()(torch.stack([transform(load_image(sample.image)) for sample in samples]))
    correct = sum(int(answer) == sample.class_id for answer, sample in zip(logits.argmax(1), samples, strict=True))
    assert correct / len(samples) == list(result.series(metric_names.VAL_ACCURACY).values())[-1]
