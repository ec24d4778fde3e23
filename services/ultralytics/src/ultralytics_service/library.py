"""The only import of the library: quiet, offline, with its settings in the working directory of the first importer.

The library reads its environment while it is imported, so this module sets it first, and every other module takes the
library's names from here. Never import `ultralytics` elsewhere.
"""

import os
from pathlib import Path

os.environ.update(
    YOLO_OFFLINE="true",  # no look-ups, no telemetry, no downloads of fonts, data sets and weights
    YOLO_AUTOINSTALL="false",  # never pip install into a running service
    YOLO_VERBOSE="false",  # no progress bars: the trainer reports instead
    MPLBACKEND="Agg",
)
os.environ.setdefault("YOLO_CONFIG_DIR", str(Path.cwd() / ".settings"))
os.environ.setdefault("MPLCONFIGDIR", str(Path(os.environ["YOLO_CONFIG_DIR"]) / "matplotlib"))

# The library imports these only when it needs them, for seconds: here a process that is kept warm has them.
import matplotlib.pyplot  # noqa: F401
import requests  # noqa: F401
import torch
import torch._inductor.config
import torchvision  # noqa: F401
import ultralytics
from ultralytics.engine import trainer as _engine
from ultralytics.engine.trainer import BaseTrainer
from ultralytics.engine.validator import BaseValidator
from ultralytics.models.rtdetr.train import RTDETRTrainer
from ultralytics.models.yolo.classify import ClassificationTrainer
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.models.yolo.obb import OBBTrainer
from ultralytics.models.yolo.pose import PoseTrainer
from ultralytics.models.yolo.segment import SegmentationTrainer
from ultralytics.models.yolo.semantic import SemanticSegmentationTrainer
from ultralytics.nn import tasks
from ultralytics.nn.modules import head as heads
from ultralytics.nn.tasks import torch_safe_load
from ultralytics.utils import LOGGER, ROOT, SETTINGS, YAML, ops
from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES
from ultralytics.utils.torch_utils import unwrap_model

# Loggers of other products, anonymous statistics, synchronisation with a platform: all are switches that default to on.
SETTINGS.update({name: False for name, value in SETTINGS.items() if value is True})

# Mixed precision is normally tried out on a network that the library downloads first. Known bad GPUs are left to the
# user (`mixed_precision: false`); a loss that is not a number ends the job with a reason anyway.
_engine.check_amp = lambda model: next(model.parameters()).device.type == "cuda"

__all__ = [
    "GITHUB_ASSETS_NAMES",
    "LOGGER",
    "ROOT",
    "YAML",
    "BaseTrainer",
    "BaseValidator",
    "ClassificationTrainer",
    "DetectionTrainer",
    "OBBTrainer",
    "PoseTrainer",
    "RTDETRTrainer",
    "SegmentationTrainer",
    "SemanticSegmentationTrainer",
    "heads",
    "ops",
    "tasks",
    "torch",
    "torch_safe_load",
    "ultralytics",
    "unwrap_model",
]
