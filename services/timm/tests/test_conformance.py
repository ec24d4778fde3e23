"""The conformance suite of every training service."""

from typing import Any, ClassVar

from trainer_kit.testing.conformance import ServiceConformance
from vision_contracts import metric_names


class TestTimm(ServiceConformance):
    adapter_path = "timm_service.adapter:adapter"
    model_name = "test_resnet"
    hyperparameters: ClassVar[dict[str, Any]] = {"image_size": 32}
    required_metrics = ServiceConformance.required_metrics | {metric_names.VAL_ACCURACY, metric_names.EPOCH_SECONDS}
