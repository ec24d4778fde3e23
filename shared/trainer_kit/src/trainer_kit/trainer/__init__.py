"""The trainer process, and the objects that a framework's `train` and operations use."""

from trainer_kit.trainer.data_errors import BrokenImageError, batch_norm_errors, broken_images
from trainer_kit.trainer.devices import resolve_device
from trainer_kit.trainer.errors import Stopped, TrainingError
from trainer_kit.trainer.final_report import BestModel, NetworkFacts, write_final_report
from trainer_kit.trainer.operation_run import OperationRun
from trainer_kit.trainer.run import STATE_IS_TRIMMED, TrainingRun

__all__ = [
    "STATE_IS_TRIMMED",
    "BestModel",
    "BrokenImageError",
    "NetworkFacts",
    "OperationRun",
    "Stopped",
    "TrainingError",
    "TrainingRun",
    "batch_norm_errors",
    "broken_images",
    "resolve_device",
    "write_final_report",
]
