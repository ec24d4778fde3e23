"""Weights to start from: published ones from a cache or the hub, or those of an earlier job.

Without a network this must be clear within seconds, and weights that lie in a mounted cache must still be found.
"""

import os
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import timm
import torch
from torch import nn

from timm_service.checkpoint import first_line, load_checkpoint
from trainer_kit.trainer import TrainingError
from vision_contracts import EndReason, LogLevel, ModelCard

TIMEOUT_SECONDS = 5.0
SHOWN_NAMES = 6

Log = Callable[..., None]
"""`TrainingRun.log`."""


def load_pretrained(card: ModelCard, tag: str, options: dict[str, Any], *, log: Log) -> nn.Module:
    """Raises TrainingError with `weights_unavailable` and what to do about it."""
    name = _pretrained_name(card, tag)
    try:
        with _socket_timeouts():
            _use_only_the_cache_if_offline()
            model = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=_cached_file(name), **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise TrainingError(
            EndReason.WEIGHTS_UNAVAILABLE,
            f"The pretrained weights {name!r} could not be loaded: {first_line(error)} "
            "Give the training service a network, mount a cache that holds them (HF_HOME or TORCH_HOME), start from "
            "an earlier job's checkpoint, or train from scratch.",
        ) from error
    log(f"Started from the pretrained weights {name}; the classifier is new.")
    return model


def _pretrained_name(card: ModelCard, tag: str) -> str:
    if not card.pretrained_available:
        raise TrainingError(
            EndReason.WEIGHTS_UNAVAILABLE,
            f"Nobody has published pretrained weights for {card.model_name}. Train it from scratch, or choose a model "
            "whose card says `pretrained_available`.",
        )
    if tag and tag not in card.pretrained_tags:
        raise TrainingError(
            EndReason.BAD_HYPERPARAMETERS,
            f"hyperparameters.pretrained_tag: {card.model_name} has no weights {tag!r}, "
            f"but {', '.join(card.pretrained_tags)}.",
        )
    return f"{card.model_name}.{tag or card.pretrained_tags[0]}"


def _use_only_the_cache_if_offline() -> None:
    """The hub's client tries again for most of a minute; one request beforehand shows whether that makes sense."""
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        return
    question = urllib.request.Request(huggingface_hub.constants.ENDPOINT, method="HEAD")  # noqa: S310 - of the hub
    try:
        with urllib.request.urlopen(question, timeout=TIMEOUT_SECONDS):  # noqa: S310
            pass
    except urllib.error.HTTPError:
        pass  # an answer, and so there is a network
    except OSError:
        huggingface_hub.constants.HF_HUB_OFFLINE = True


@contextmanager
def _socket_timeouts() -> Iterator[None]:
    """torch.hub downloads without any time-out of its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(6 * TIMEOUT_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _cached_file(name: str) -> dict[str, str] | None:
    """A file that torch.hub has downloaded before, which timm passes over in favour of the hub's."""
    config = timm.get_pretrained_cfg(name)
    if config is None or not isinstance(config.url, str) or not config.url:
        return None
    path = Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(config.url)
    return {"file": str(path)} if path.is_file() else None


def copy_weights(model: nn.Module, path: Path, *, log: Log) -> None:
    """Copies every tensor that fits by name and shape. A classifier of other classes stays new."""
    given = _read_weights(path)
    own = model.state_dict()
    fitting = {name: tensor for name, tensor in given.items() if name in own and own[name].shape == tensor.shape}
    if not fitting:
        raise TrainingError(
            EndReason.WEIGHTS_UNAVAILABLE,
            "Not one tensor of the initial checkpoint fits this model. Choose a checkpoint of the same architecture.",
        )
    model.load_state_dict(fitting, strict=False)
    log(f"Took {len(fitting)} of {len(own)} tensors from the initial checkpoint.")
    if missing := [name for name in own if name not in fitting]:
        log(f"Not in it, or of another shape, and so left new: {_some(missing)}.")
    if unused := [name for name in given if name not in own]:
        log(f"In it, but not in this model: {_some(unused)}.", LogLevel.WARNING)


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The averaged weights where there are some, since they are what was validated."""
    content = load_checkpoint(path)
    found = content.get("ema") or content.get("model") or content.get("state_dict") or content
    tensors = {name: value for name, value in found.items() if isinstance(value, torch.Tensor)}
    return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more
