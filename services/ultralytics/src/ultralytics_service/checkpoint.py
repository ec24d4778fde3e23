"""Checkpoints as plain tensors and numbers.

The library's own hold pickled Python objects, and loading one runs code of its maker. These are read with
`weights_only`, and the network is built from the installed library's description, never from the file's.
"""

import pickle
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trainer_kit.files import replacing
from trainer_kit.trainer import TrainingError
from ultralytics_service.library import torch
from vision_contracts import EndReason

FORMAT = "ultralytics-service/1"
STATE_FIELDS = ("model", "optimizer", "scaler")
"""Fields that only a resume needs."""


@dataclass(frozen=True)
class Checkpoint:
    """State that training resumes from after `epoch` completed epochs."""

    model_name: str
    kind: str
    names: dict[int, str]
    keypoint_shape: tuple[int, int] | None
    image_size: int
    yaml: dict[str, Any]
    """The network's description, for readers without this library's files. Never built from."""
    epoch: int
    step: int
    ema: dict[str, Any]
    """Averaged weights, which validation has used: these are the result."""
    ema_updates: int
    best_epoch: int
    history: dict[int, dict[str, float]]
    """Metrics of every validation so far, by epoch."""
    mosaic_buffer: list[int]
    """Images that the data set had at hand for mosaics; of several processes, the first one's."""
    other_mosaic_buffers: list[list[int]] = field(default_factory=list)
    """Images at hand for mosaics in the other processes, by rank."""
    model: dict[str, Any] | None = None
    """Weights as they are trained. These three are the training state, which is in a file of its own; None if it is not
    needed, or trimmed.
    """
    optimizer: dict[str, Any] | None = None
    scaler: dict[str, Any] | None = None
    keypoint_names: tuple[str, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()

    def mosaic_buffer_of(self, rank: int) -> list[int]:
        """Empty for a process that was not there."""
        buffers = [self.mosaic_buffer, *self.other_mosaic_buffers]
        return buffers[rank] if rank < len(buffers) else []


def save_checkpoint(checkpoint: Checkpoint, path: Path, state_path: Path) -> None:
    """Write a checkpoint, and replace each of its two files in one step."""
    content = _shallow_dict(checkpoint)
    state = {name: content.pop(name) for name in STATE_FIELDS}
    for target, part in ((path, content), (state_path, state)):
        with replacing(target) as file:
            torch.save({"format": FORMAT, **part}, file)


def load_checkpoint(path: Path, state_path: Path | None = None) -> Checkpoint:
    """Load a checkpoint, with the training state in `state_path` if it is to be resumed.

    Raises TrainingError with `weights_unavailable` for any other or damaged file.
    """
    content = _load(path) | (_load(state_path) if state_path is not None else {})
    try:
        saved = _checkpoint_adapter.validate_python(content)
    except ValidationError as error:
        raise _refusal(path, f"a part of it is missing or wrong ({error.error_count()} in all)") from error
    weights = (saved.model or {}, saved.ema)
    if not all(isinstance(value, torch.Tensor) for state in weights for value in state.values()):
        raise _refusal(path, "its weights are not tensors")
    return saved


def _load(path: Path) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise _refusal(path, "it is no file of plain tensors, or it is not whole") from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise _refusal(path, "another framework or another version made it")
    return content


_checkpoint_adapter = TypeAdapter(Checkpoint)


def _refusal(path: Path, reason: str) -> TrainingError:
    return TrainingError(
        EndReason.WEIGHTS_UNAVAILABLE,
        f"The checkpoint {path.name} cannot be used: {reason}. Choose one of an ultralytics job of this platform.",
    )


def _shallow_dict(saved: Checkpoint) -> dict[str, Any]:
    """Return what `dataclasses.asdict` does, without copying every tensor."""
    return {field.name: getattr(saved, field.name) for field in fields(saved)}
