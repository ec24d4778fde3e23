"""Weights to start from: published ones from a folder that the operator fills or the library's own releases, or those
of an earlier job.
"""

import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer_kit.trainer import TrainingError, TrainingRun
from ultralytics_service.architectures import find_architecture
from ultralytics_service.checkpoint import Checkpoint, load_checkpoint
from ultralytics_service.config import CommonHyperparameters
from ultralytics_service.library import torch, torch_safe_load
from ultralytics_service.model import build_model
from vision_contracts import EndReason

WEIGHTS_DIR = "ULTRALYTICS_WEIGHTS_DIR"
"""Environment variable of the folder; `~/.cache/ultralytics` without it."""

RELEASE = "https://github.com/ultralytics/assets/releases/download/v8.4.0"
CONNECT_SECONDS = 5.0
NAMES_SHOWN = 8


def find_initial_weights(run: TrainingRun[CommonHyperparameters]) -> torch.nn.Module | Checkpoint | None:
    """Find the weights to start from before anything is built, so that missing ones end a job within seconds.

    Raises TrainingError with `weights_unavailable`.
    """
    if run.spec.initial_weights == "scratch":
        return None
    if run.spec.initial_weights != "pretrained":
        return load_checkpoint(_existing(run.initial_checkpoint))
    if not run.card.pretrained_tags:
        raise TrainingError(
            EndReason.WEIGHTS_UNAVAILABLE,
            f"Nobody publishes weights of {run.card.model_name}. Train it from scratch, or choose a model whose card "
            f"says pretrained_available.",
        )
    return load_pretrained(run.card.pretrained_tags[0])


def copy_weights(model: Any, source: torch.nn.Module | Checkpoint, log: Callable[[str], None]) -> None:
    """Copy every tensor that fits; rows of classes with the same name keep their meaning."""
    network = source if isinstance(source, torch.nn.Module) else rebuild_model(source)
    model.load(network, verbose=False)
    theirs, ours = network.state_dict(), model.state_dict()
    new = [name for name, value in ours.items() if name not in theirs or theirs[name].shape != value.shape]
    log(f"Took {len(ours) - len(new)} of {len(ours)} tensors of weights.")
    if new:
        log(f"Not among them, or of another shape: {', '.join(new[:NAMES_SHOWN])}{' …' * (len(new) > NAMES_SHOWN)}.")


def rebuild_model(saved: Checkpoint) -> torch.nn.Module:
    """The earlier job's network, with its own classes. Its result are the averaged weights."""
    architecture = find_architecture(saved.model_name)
    network: Any = build_model(architecture, num_classes=len(saved.names), keypoint_shape=saved.keypoint_shape)
    network.names = saved.names
    try:
        network.load_state_dict(saved.ema)
    except RuntimeError as error:
        raise TrainingError(
            EndReason.WEIGHTS_UNAVAILABLE,
            f"The checkpoint does not hold the weights of {saved.model_name}: {error}. Choose another one.",
        ) from error
    return network


def load_pretrained(name: str) -> torch.nn.Module:
    """The network of `<name>.pt`, rebuilt from the classes of the library alone (`weights_only`).

    Raises TrainingError with `weights_unavailable`, within seconds where there is no network.
    """
    file = weights_dir() / f"{name}.pt"
    if not file.is_file():
        _download(f"{RELEASE}/{file.name}", file)
    try:
        content, _ = torch_safe_load(file, safe_only=True)
        return content.get("ema") or content["model"]
    except (TypeError, KeyError, AttributeError, RuntimeError, ModuleNotFoundError) as error:
        raise TrainingError(
            EndReason.WEIGHTS_UNAVAILABLE, f"{file} holds no weights of ultralytics ({error}). Replace the file."
        ) from error


def weights_dir() -> Path:
    """Return the folder of published weights."""
    return Path(os.environ.get(WEIGHTS_DIR) or Path.home() / ".cache" / "ultralytics")


def _download(url: str, file: Path) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(url, timeout=CONNECT_SECONDS) as response, part.open("wb") as target:  # noqa: S310
            shutil.copyfileobj(response, target)
        os.replace(part, file)
    except OSError as error:  # urllib's errors are OSErrors
        part.unlink(missing_ok=True)
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise TrainingError(
            EndReason.WEIGHTS_UNAVAILABLE,
            f"The pretrained weights {file.name} are not in {file.parent}, and {url} does not give them ({reason}). "
            f"Put the file into that folder ({WEIGHTS_DIR} sets it), or train from scratch.",
        ) from error


def _existing(path: Path | None) -> Path:
    if path is None:
        raise TrainingError(EndReason.WEIGHTS_UNAVAILABLE, "The checkpoint to start from has not been fetched.")
    return path
