"""The catalogue: everything that the library can train, and nothing else."""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest
import torch

from huggingface_service.adapter import adapter
from huggingface_service.architectures import (
    NOT_TRAINABLE,
    TYPES_OF_TASK,
    Architecture,
    architectures,
    find_architecture,
)
from huggingface_service.cards import make_card
from huggingface_service.model import build_model
from huggingface_service.probe import count_parameters
from trainer_kit.catalog import load_catalog
from trainer_kit.testing.variants import variants
from vision_contracts import TaskType

CATALOG = load_catalog(adapter.catalog_file)
QUICK = ("convnext", "levit", "upernet", "hustvl/yolos-small")
"""A model of each task; the others take up to 5 s."""
SAMPLE = ["convnext", "detr", "levit", "perceiver", "siglip2", "upernet", "microsoft/resnet-50", "hustvl/yolos-small"]


def test_the_file_is_of_the_installed_version() -> None:
    assert CATALOG.models.framework_version == version("transformers")
    assert CATALOG.models.model_count == len(CATALOG.models.models) >= 300


def test_every_type_of_the_library_is_listed_or_left_out_for_a_reason() -> None:
    for task, types in TYPES_OF_TASK.items():
        listed = {name for name, entry in CATALOG.cards.items() if task in entry.task_types}
        assert types - set(NOT_TRAINABLE) <= listed
    assert set(NOT_TRAINABLE) <= set().union(*TYPES_OF_TASK.values())
    assert not set(NOT_TRAINABLE) & {entry.family for entry in CATALOG.cards.values()}


def test_the_file_lists_exactly_what_the_trainer_knows() -> None:
    names = [architecture.name for architecture in architectures()]
    assert len(names) == len(set(names))
    assert set(names) == set(CATALOG.cards)


@pytest.mark.parametrize("name", variants(SAMPLE, quick=QUICK))
def test_a_card_is_what_the_builder_makes_of_the_library(name: str) -> None:
    assert make_card(find_architecture(name)) == CATALOG.cards[name]


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("microsoft/resnet-50", 25.56),
        ("google/vit-base-patch16-224", 86.57),
        ("facebook/convnext-tiny-224", 28.59),
        ("google/efficientnet-b0", 5.29),
        ("microsoft/swin-tiny-patch4-window7-224", 28.29),
        ("facebook/regnet-y-040", 20.65),
        ("facebook/hiera-base-224-in1k-hf", 51.52),
        ("facebook/detr-resnet-50", 41.5),
        ("nvidia/segformer-b0-finetuned-ade-512-512", 3.75),
        ("facebook/mask2former-swin-tiny-coco-instance", 47.4),
        ("facebook/maskformer-swin-tiny-coco", 41.7),
    ],
)
def test_parameters_are_those_that_the_authors_publish(name: str, millions: float) -> None:
    assert CATALOG.cards[name].params / 1e6 == pytest.approx(millions, rel=0.005)


@pytest.mark.parametrize(
    ("name", "gmacs"),
    [
        ("microsoft/resnet-50", 4.1),
        ("google/vit-base-patch16-224", 17.6),
        ("facebook/convnext-tiny-224", 4.5),
        ("microsoft/swin-tiny-patch4-window7-224", 4.5),
        ("nvidia/segformer-b0-finetuned-ade-512-512", 8.4),
        ("PekingU/rtdetr_r50vd", 68),
    ],
)
def test_multiply_adds_are_those_that_the_authors_publish(name: str, gmacs: float) -> None:
    assert CATALOG.cards[name].gmacs == pytest.approx(gmacs, rel=0.05)


def test_every_card_tells_what_an_image_costs() -> None:
    assert [name for name, entry in CATALOG.cards.items() if not entry.gmacs] == []


def test_only_checkpoints_promise_weights() -> None:
    for entry in CATALOG.cards.values():
        assert entry.pretrained_available == (entry.pretrained_tags == [entry.model_name]) == ("/" in entry.model_name)


def test_cards_refer_to_schemas_whose_defaults_their_settings_take() -> None:
    for entry in CATALOG.cards.values():
        schema = CATALOG.models.schemas[entry.hyperparameters_ref]
        assert set(schema["properties"]) == set(adapter.hyperparameters(entry).model_fields)
        is_of_objects = bool({TaskType.OBJECT_DETECTION, TaskType.INSTANCE_SEGMENTATION} & set(entry.task_types))
        assert ("label_smoothing" in schema["properties"]) == (not is_of_objects)


def test_the_http_side_imports_no_machine_learning_library() -> None:
    program = (
        "import json, sys, huggingface_service.adapter, huggingface_service.config\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    assert not {"torch", "transformers", "timm", "numpy", "accelerate"} & set(json.loads(loaded))


@pytest.mark.thorough
@pytest.mark.parametrize("architecture", list(architectures()), ids=lambda architecture: architecture.name)
def test_every_card_builds_for_each_of_its_tasks(architecture: Architecture) -> None:
    assert count_parameters(architecture, architecture.task_types[0]) == CATALOG.cards[architecture.name].params
    for task in architecture.task_types:
        with torch.device("meta"):
            names = [f"class {number}" for number in range(7)]
            size = architecture.size_step * 8
            model = build_model(architecture.fitted_config(task, class_names=names, image_size=size), task)
        assert model.config.num_labels == 7
