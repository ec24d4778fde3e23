"""The trainer process, and the objects that a framework's `train` and operations use."""

from trainer_kit.trainer.devices import resolve_device
from trainer_kit.trainer.errors import Stopped, TrainingError
from trainer_kit.trainer.final_report import BestModel, NetworkFacts, write_final_report
from trainer_kit.trainer.operation_run import OperationRun
from trainer_kit.trainer.run import TrainingRun

__all__ = [
    "BestModel",
    "NetworkFacts",
    "OperationRun",
    "Stopped",
    "TrainingError",
    "TrainingRun",
    "resolve_device",
    "write_final_report",
]
