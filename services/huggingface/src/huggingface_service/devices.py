"""The devices of a training, their precision, and the versions of the libraries that compute on them."""

import os
from importlib.metadata import version

import torch

from huggingface_service.config import Hyperparameters
from trainer_kit.trainer import TrainingRun


def choose_device(run: TrainingRun[Hyperparameters]) -> torch.device:
    """Return the device of this process, and show the libraries those of the training alone, in its processes' order.

    Must come before anything else that touches CUDA: the Trainer would spread over all devices that it sees.
    """
    names = run.choose_devices(cuda_devices=torch.cuda.device_count(), has_mps=torch.backends.mps.is_available())
    kind = names[0].partition(":")[0]
    if kind != "cuda":
        return torch.device(kind)
    indices = [int(name.partition(":")[2]) for name in names]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    all_of_them = visible.split(",") if visible else [str(index) for index in range(torch.cuda.device_count())]
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(all_of_them[index] for index in indices)
    return torch.device("cuda", run.world.rank)


def computes_in_bfloat16(run: TrainingRun[Hyperparameters], device: torch.device) -> bool:
    """Return whether mixed precision is requested and the device has bfloat16 in hardware."""
    return (
        run.hyperparameters.mixed_precision
        and device.type == "cuda"
        and torch.cuda.is_bf16_supported(including_emulation=False)
    )


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that decide the result."""
    return {name: version(name) for name in ("transformers", "accelerate", "torch", "timm")}
