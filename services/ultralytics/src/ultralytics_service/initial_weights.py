"""What a network starts from, when that is not chance."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer_kit.trainer import TrainingError, TrainingRun
from ultralytics_service.architectures import find_architecture
from ultralytics_service.checkpoint import SavedTraining, read_checkpoint
from ultralytics_service.config import CommonHyperparameters
from ultralytics_service.library import torch
from ultralytics_service.model import build_network
from ultralytics_service.weights import load_published
from vision_contracts import EndReason

NAMES_SHOWN = 8


def find_weights(run: TrainingRun[CommonHyperparameters]) -> torch.nn.Module | SavedTraining | None:
    """Looks before anything is built, so that missing weights end a job within seconds.

    Raises TrainingError with `weights_unavailable`.
    """
    if run.spec.initial_weights == "scratch":
        return None
    if run.spec.initial_weights != "pretrained":
        return read_checkpoint(_existing(run.initial_checkpoint))
    if not run.card.pretrained_tags:
        raise TrainingError(
            EndReason.WEIGHTS_UNAVAILABLE,
            f"Nobody publishes weights of {run.card.model_name}. Train it from scratch, or choose a model whose card "
            f"says pretrained_available.",
        )
    return load_published(run.card.pretrained_tags[0])


def load_weights(model: Any, source: torch.nn.Module | SavedTraining, log: Callable[[str], None]) -> None:
    """Takes over every tensor that fits; rows of classes with the same name keep their meaning."""
    network = source if isinstance(source, torch.nn.Module) else rebuild(source)
    model.load(network, verbose=False)
    theirs, ours = network.state_dict(), model.state_dict()
    new = [name for name, value in ours.items() if name not in theirs or theirs[name].shape != value.shape]
    log(f"Took {len(ours) - len(new)} of {len(ours)} tensors of weights.")
    if new:
        log(f"Not among them, or of another shape: {', '.join(new[:NAMES_SHOWN])}{' …' * (len(new) > NAMES_SHOWN)}.")


def rebuild(saved: SavedTraining) -> torch.nn.Module:
    """The earlier job's network, with its own classes. Its result are the averaged weights."""
    architecture = find_architecture(saved.model_name)
    network = build_network(architecture, num_classes=len(saved.names), keypoint_shape=saved.keypoint_shape)
    network.names = saved.names
    try:
        network.load_state_dict(saved.ema)
    except RuntimeError as error:
        raise TrainingError(
            EndReason.WEIGHTS_UNAVAILABLE,
            f"The checkpoint does not hold the weights of {saved.model_name}: {error}. Choose another one.",
        ) from error
    return network


def _existing(path: Path | None) -> Path:
    if path is None:
        raise TrainingError(EndReason.WEIGHTS_UNAVAILABLE, "The checkpoint to start from has not been fetched.")
    return path
