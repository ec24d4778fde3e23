"""Facts about an architecture, found by building it on the meta device: shapes without memory, milliseconds each."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import timm
import torch
from timm.layers import DropPath
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from timm_service.architectures import Architecture
from timm_service.capabilities import Capabilities, ImageSizes
from timm_service.model import image_size_option

BATCH = 2
"""Batch norm refuses to train on one."""

CLASSES = 7
SIZE_RULES = (
    (ImageSizes(smallest=32, step=32), (32, 96)),
    (ImageSizes(smallest=64, step=32), (64, 96, 160)),
    (ImageSizes(smallest=70, step=14), (70, 98, 154)),
    (ImageSizes(smallest=96, step=48), (96, 144, 240)),
    (ImageSizes(smallest=128, step=64), (128, 192, 320)),
)
"""Which images an architecture may take, each with the sizes that are tried to find out."""

OPTIONS = ("drop_path_rate", "drop_rate")
UNUSUAL_RATE = 0.4375
"""No architecture has it by itself: a layer with this rate has taken the setting."""


def probe(name: str) -> Architecture | None:
    """Builds it, sends a batch through it, and tries what it can be asked for. None for an encoder of other models,
    which has no classifier.
    """
    model = _build(name)
    if not hasattr(model, "get_classifier"):
        return None
    side = model.pretrained_cfg["input_size"][-1]
    flops, activation_bytes = _measure(model, side)
    modules = list(model.modules())
    return Architecture(
        name=name,
        params=sum(parameter.numel() for parameter in model.parameters()),
        input_size=side,
        gmacs=round(flops / 2e9, 3),
        activation_bytes=activation_bytes,
        capabilities=_capabilities(name),
        has_batch_norm=any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in modules),
        has_attention=any("attention" in type(module).__name__.lower() for module in modules),
        has_convolutions=sum(isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1 for module in modules) > 4,
    )


def count_parameters(name: str) -> int:
    """Count the parameters of an architecture with its own head, without memory for them."""
    return sum(parameter.numel() for parameter in _build(name).parameters())


def _capabilities(name: str) -> Capabilities:
    model, taken = _build_with_options(name)
    drop_path = any(isinstance(module, DropPath) and module.drop_prob for module in model.modules())
    dropout = getattr(model, "drop_rate", 0) == UNUSUAL_RATE or any(
        isinstance(module, nn.Dropout) and module.p == UNUSUAL_RATE for module in model.modules()
    )
    return Capabilities(
        sizes=_image_sizes(name, model),
        drop_path="drop_path_rate" in taken and drop_path,
        dropout="drop_rate" in taken and dropout,
    )


def _build_with_options(name: str) -> tuple[Any, tuple[str, ...]]:
    """The model with as many of the options as its constructor takes."""
    for options in (OPTIONS, OPTIONS[:1], OPTIONS[1:]):
        with suppress(TypeError):
            return _build(name, num_classes=CLASSES, **dict.fromkeys(options, UNUSUAL_RATE)), options
    return _build(name, num_classes=CLASSES), ()


def _build(name: str, **options: Any) -> Any:
    with torch.device("meta"):
        return timm.create_model(name, **options)


def _measure(model: nn.Module, side: int) -> tuple[float, int]:
    """Floating point operations (two a multiply-add) and bytes kept for the backward pass, for one image."""
    counter = FlopCounterMode(display=False)
    with _saved_bytes() as kept, counter:
        model(torch.empty(BATCH, 3, side, side, device="meta"))
    parameters = {parameter.untyped_storage()._cdata for parameter in model.parameters()}
    activations = sum(size for storage, (size, _) in kept.items() if storage not in parameters)
    return counter.get_total_flops() / BATCH, activations // BATCH


@contextmanager
def _saved_bytes() -> Iterator[dict[int, tuple[int, torch.Tensor]]]:
    """Each storage that autograd keeps, once; the tensor is held so that its address is not given away again."""
    kept: dict[int, tuple[int, torch.Tensor]] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield kept


def _image_sizes(name: str, model: nn.Module) -> ImageSizes | None:
    patch = _patch_side(model)
    for sizes, tries in SIZE_RULES:
        if sizes.step % patch == 0 and all(_takes(name, model, side) for side in tries):
            return sizes
    return None


def _patch_side(model: nn.Module) -> int:
    """Side of the patches that a transformer cuts the image into: what is left over at the border it does not see."""
    side = getattr(getattr(model, "patch_embed", None), "patch_size", 1)
    return int(side if isinstance(side, int) else side[0])


@torch.no_grad()
def _takes(name: str, model: nn.Module, side: int) -> bool:
    """Return whether a batch of this size gives logits. Any error inside means no."""
    try:
        if option := image_size_option(name, side):
            model = _build(name, num_classes=CLASSES, **option)
        return model(torch.empty(BATCH, 3, side, side, device="meta")).shape == (BATCH, CLASSES)
    except Exception:  # noqa: BLE001 - architectures refuse a size in every way there is
        return False
