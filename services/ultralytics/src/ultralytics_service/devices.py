"""The device that trains, and the versions of the libraries that compute on it."""

from trainer_kit.trainer import OperationRun, TrainingRun
from ultralytics_service.config import CommonHyperparameters
from ultralytics_service.library import torch, ultralytics


def choose_device(run: TrainingRun[CommonHyperparameters] | OperationRun[CommonHyperparameters]) -> str:
    """Return the device that the job asks for. Raises TrainingError where the machine does not have it."""
    return run.choose_device(cuda_devices=torch.cuda.device_count(), has_mps=torch.backends.mps.is_available())


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that decide the result."""
    return {"ultralytics": ultralytics.__version__, "torch": torch.__version__}
