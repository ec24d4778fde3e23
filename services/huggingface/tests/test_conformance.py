"""The conformance suite of every training service, over HTTP with real trainings."""

from attempts import CLASSIFIER

from trainer_kit.testing.conformance import ServiceConformance
from vision_contracts import metric_names


class TestHuggingFace(ServiceConformance):
    adapter_path = "huggingface_service.adapter:adapter"
    model_name = CLASSIFIER
    hyperparameters = {"image_size": 32}  # noqa: RUF012 - a ClassVar in the base
    required_metrics = ServiceConformance.required_metrics | {metric_names.VAL_ACCURACY, metric_names.EPOCH_SECONDS}
