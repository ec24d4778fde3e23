"""The conformance suite passes on the fake framework."""

from typing import Any, ClassVar

from trainer_kit.testing.conformance import ServiceConformance
from trainer_kit.testing.fake_adapter import ADAPTER_PATH


class TestFakeService(ServiceConformance):
    adapter_path = ADAPTER_PATH
    model_name = "hub/linear"
    learning_rate = 0.5
    hyperparameters: ClassVar[dict[str, Any]] = {"step_seconds": 0.01}
