"""Published weights: from a folder that the operator fills, else from the library's own releases."""

import os
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from trainer_kit.trainer import TrainingError
from ultralytics_service.library import torch, torch_safe_load
from vision_contracts import EndReason

WEIGHTS_DIR = "ULTRALYTICS_WEIGHTS_DIR"
"""Environment variable of the folder; `~/.cache/ultralytics` without it."""

RELEASE = "https://github.com/ultralytics/assets/releases/download/v8.4.0"
CONNECT_SECONDS = 5.0


def load_published(name: str) -> torch.nn.Module:
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
    """Where published weights are kept."""
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
