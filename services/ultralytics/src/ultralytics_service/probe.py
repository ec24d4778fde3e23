"""Parameters, multiply-adds and input size of an architecture, from a network built without memory for its weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.utils.flop_counter import FlopCounterMode

from ultralytics_service.architectures import Architecture
from ultralytics_service.kinds import Kind
from ultralytics_service.library import heads, torch
from ultralytics_service.model import build_model


def measure(architecture: Architecture) -> tuple[int, float]:
    """Return the parameters, and billions of multiply-adds for one image."""
    size = input_size(architecture)
    with torch.device("meta"), torch.no_grad():
        network = build_model(architecture)
        with FlopCounterMode(display=False) as counter:
            network.predict(torch.zeros(1, 3, size, size))
    return sum(parameter.numel() for parameter in network.parameters()), counter.get_total_flops() / 2e9


def count_parameters(architecture: Architecture) -> int:
    """Count the parameters of a network, built without memory for them."""
    with without_bias_init(), torch.device("meta"):
        return sum(parameter.numel() for parameter in build_model(architecture).parameters())


@contextmanager
def without_bias_init() -> Iterator[None]:
    """Let heads be built on the meta device: they read their strides to set biases, and there is nothing to read."""
    originals: dict[type, Any] = {
        head: vars(head)["bias_init"]
        for head in vars(heads).values()
        if isinstance(head, type) and "bias_init" in vars(head)
    }
    for head in originals:
        head.bias_init = lambda _: None
    try:
        yield
    finally:
        for head, original in originals.items():
            head.bias_init = original


def input_size(architecture: Architecture) -> int:
    """Return the side that the published weights of its kind were trained with, in pixels."""
    if architecture.kind is Kind.CLASSIFY:
        return 224
    return 1280 if "p6" in architecture.stem else 640
