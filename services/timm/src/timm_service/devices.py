"""The device that trains, its precision, and the versions of the libraries that compute on it."""

import timm
import torch

from timm_service.config import Hyperparameters
from trainer_kit.trainer import TrainingRun


def choose_device(run: TrainingRun[Hyperparameters]) -> torch.device:
    """Return the device that the job asks for. Raises TrainingError where the machine does not have it."""
    has_mps = torch.backends.mps.is_available()
    return torch.device(run.choose_device(cuda_devices=torch.cuda.device_count(), has_mps=has_mps))


def half_precision(device: torch.device) -> torch.dtype | None:
    """Return bfloat16 where CUDA has it in hardware, float16 on older cards, None elsewhere."""
    if device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that decide the result."""
    return {"timm": timm.__version__, "torch": str(torch.__version__)}
