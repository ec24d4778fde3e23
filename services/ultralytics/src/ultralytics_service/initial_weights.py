"""What a network starts from, when that is not chance."""

from pathlib import Path
from typing import Any

from trainer_kit.trainer import TrainingError, TrainingRun
from ultralytics_service.architectures import find_architecture
from ultralytics_service.checkpoint import SavedTraining, read_checkpoint
from ultralytics_service.config import CommonHyperparameters
from ultralytics_service.library import torch
from ultralytics_service.weights import load_published
from vision_contracts import EndReason


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


def load_weights(trainer: Any, source: torch.nn.Module | SavedTraining) -> None:
    """Takes over every tensor that fits; rows of classes with the same name keep their meaning."""
    network = source if isinstance(source, torch.nn.Module) else _rebuild(trainer, source)
    trainer.model.load(network, verbose=False)


def _rebuild(trainer: Any, saved: SavedTraining) -> torch.nn.Module:
    """The earlier job's network, with its own classes. Its result are the averaged weights."""
    architecture = find_architecture(saved.model_name)
    own = trainer.data
    trainer.data = own | {"names": saved.names, "nc": len(saved.names)}
    if saved.keypoint_shape:
        trainer.data["kpt_shape"] = saved.keypoint_shape
    try:
        network = trainer.get_model(cfg=architecture.read(), verbose=False)
        network.names = saved.names
        network.load_state_dict(saved.ema)
    except (RuntimeError, TypeError, ValueError) as error:
        raise TrainingError(
            EndReason.WEIGHTS_UNAVAILABLE,
            f"The checkpoint of {saved.model_name} does not fit {trainer.architecture.name}: {error}",
        ) from error
    finally:
        trainer.data = own
    return network


def _existing(path: Path | None) -> Path:
    if path is None:
        raise TrainingError(EndReason.WEIGHTS_UNAVAILABLE, "The checkpoint to start from has not been fetched.")
    return path
