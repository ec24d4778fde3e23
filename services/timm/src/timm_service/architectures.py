"""Architectures of the installed timm, with the facts that its registry tells of them."""

from dataclasses import dataclass

from timm.models import get_arch_pretrained_cfgs, model_entrypoint

from timm_service.capabilities import Capabilities


@dataclass(frozen=True)
class Architecture:
    """Facts about one architecture, at its own input size and with its own head."""

    name: str
    params: int
    input_size: int
    gmacs: float
    activation_bytes: int
    """Memory that one image of a training batch keeps until the backward pass, in 32 bits."""
    capabilities: Capabilities
    has_batch_norm: bool
    has_attention: bool
    has_convolutions: bool


def pretrained_tags(name: str) -> list[str]:
    """Return the tags with published weights, timm's own choice first."""
    return [config.tag for config in get_arch_pretrained_cfgs(name).values() if config.has_weights and config.tag]


def family(name: str) -> str:
    """Return the name of timm's module that holds the architecture, such as `resnet`."""
    return model_entrypoint(name).__module__.rpartition(".")[2]
