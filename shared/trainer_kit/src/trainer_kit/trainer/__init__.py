"""What a framework's `train` module and its works import."""

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
