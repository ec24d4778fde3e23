"""What a framework's `train` module imports."""

from trainer_kit.trainer.devices import resolve_device
from trainer_kit.trainer.errors import Stopped, TrainingError
from trainer_kit.trainer.run import TrainingRun

__all__ = ["Stopped", "TrainingError", "TrainingRun", "resolve_device"]
