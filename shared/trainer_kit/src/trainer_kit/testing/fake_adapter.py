"""A fake framework: softmax regression in numpy, with a catalogue, checkpoints, and failures on request."""

from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, Field

from trainer_kit.catalog import write_catalog
from trainer_kit.hyperparameters import MOST_DEVICES, Hyperparameters, json_schema
from vision_contracts import JobKind, ModelCard, TaskType

ADAPTER_PATH = "trainer_kit.testing.fake_adapter:adapter"
OPTIMIZERS = ("sgd", "adam")


class FakeHyperparameters(Hyperparameters):
    """Hyper-parameters of the fake framework: of its training, and of the failure to simulate."""

    image_size: int = Field(8, ge=1, le=64, title="Image size", json_schema_extra={"group": "basic", "unit": "px"})
    step_seconds: float = Field(0.0, ge=0, le=60, title="Duration of a step", json_schema_extra={"unit": "s"})
    misbehaviour: Literal[
        "none", "crash", "disk_full", "exit", "flood", "hang", "kill", "leave_traces", "nan", "out_of_memory"
    ] = Field("none", title="What goes wrong")
    misbehave_at_step: int = Field(3, ge=1, title="When it goes wrong")
    misbehaving_process: int = Field(0, ge=0, title="Where it goes wrong, of several that train together")


class FakeAdapter:
    """A complete adapter, for tests of the kit and of what talks to a training service."""

    framework = "fake"
    distribution = "trainer-kit"
    variables: tuple[str, ...] = ()
    trainer = "trainer_kit.testing.fake_train:train"
    operations = MappingProxyType(
        {
            JobKind.PREDICT: "trainer_kit.testing.fake_operations:predict",
            JobKind.EXPORT: "trainer_kit.testing.fake_operations:export",
            JobKind.EVALUATE: "trainer_kit.testing.fake_operations:evaluate",
        }
    )
    catalog_file = Path(__file__).with_name("fake_catalog.json")

    def hyperparameters(self, card: ModelCard) -> type[BaseModel]:  # noqa: ARG002 - one model for all cards
        return FakeHyperparameters


adapter = FakeAdapter()


def build() -> None:
    """Write the catalogue: `python -m trainer_kit.testing.fake_adapter`."""
    cards = [
        ModelCard(
            framework=adapter.framework,
            model_name=name,
            display_name=name.title(),
            description="Softmax regression on small pictures.",
            task_types=[TaskType.IMAGE_CLASSIFICATION],
            family="linear",
            params=579,
            input_size=8,
            recommended_batch_size=8,
            recommended_lr=0.5,
            priority=priority,
            hyperparameters_ref="linear",
        )
        for priority, name in enumerate(("linear", "hub/linear"))
    ]
    schema = json_schema(FakeHyperparameters, optimizers=OPTIMIZERS, max_devices=MOST_DEVICES)
    write_catalog(adapter, cards=cards, schemas={"linear": schema})


if __name__ == "__main__":
    build()
