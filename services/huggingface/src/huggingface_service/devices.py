"""The one device of a training."""

import os
from importlib.metadata import version

import torch

from huggingface_service.config import Hyperparameters
from trainer_kit.trainer import TrainingError, TrainingRun
from vision_contracts import EndReason


def choose_device(run: TrainingRun[Hyperparameters]) -> torch.device:
    """The device that the job asks for, made the only one that the libraries see.

    Must come before anything else that touches CUDA: the Trainer would spread over all devices that it sees.
    """
    if run.spec.params.num_devices != 1:
        raise TrainingError(
            EndReason.BAD_HYPERPARAMETERS,
            "huggingface trains on one device. Set num_devices to 1.",
        )
    name = run.choose_device(cuda_devices=torch.cuda.device_count(), has_mps=torch.backends.mps.is_available())
    kind, _, index = name.partition(":")
    if kind != "cuda":
        return torch.device(kind)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[int(index)] if visible else index
    return torch.device("cuda:0")


def computes_in_bfloat16(run: TrainingRun[Hyperparameters], device: torch.device) -> bool:
    """Whether mixed precision is asked for and the device has it in hardware."""
    return (
        run.hyperparameters.mixed_precision
        and device.type == "cuda"
        and torch.cuda.is_bf16_supported(including_emulation=False)
    )


def describe_versions() -> dict[str, str]:
    """What took part in the training."""
    return {name: version(name) for name in ("transformers", "accelerate", "torch", "timm")}
