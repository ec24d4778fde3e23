"""The adapter of the toy framework, which takes most members from the kit's fake framework."""

import os
from pathlib import Path

from trainer_kit.catalog import write_catalog
from trainer_kit.hyperparameters import json_schema
from trainer_kit.testing.fake_adapter import OPTIMIZERS, FakeAdapter, FakeHyperparameters
from vision_contracts import ModelCard, TaskType


class ToyVisionAdapter(FakeAdapter):
    framework = "toyvision"
    variables = ("LIBRARY_*",)
    catalog_file = Path(os.environ["DATA_DIR"]) / "catalog.json"


adapter = ToyVisionAdapter()


def build_catalog() -> None:
    card = ModelCard(
        framework=adapter.framework,
        model_name="toy",
        display_name="Toy",
        description="Softmax regression on small pictures.",
        task_types=[TaskType.IMAGE_CLASSIFICATION],
        family="linear",
        params=579,
        input_size=8,
        recommended_batch_size=8,
        recommended_lr=0.5,
        hyperparameters_ref="toy",
    )
    write_catalog(adapter, cards=[card], schemas={"toy": json_schema(FakeHyperparameters, optimizers=OPTIMIZERS)})
