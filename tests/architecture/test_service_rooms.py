"""The three services have the same rooms under the same names, so that a reader of one knows them all."""

import ast
import itertools
import tomllib
from pathlib import Path

import pytest
from platform_under_test import ROOT

ROOMS = {
    "app": {"main"},
    "adapter": {"adapter"},
    "config": set(),
    "presets": {"presets"},
    "catalog": {"build_catalog", "make_schemas"},
    "catalog_check": {"count_card"},
    "cards": {"make_card"},
    "architectures": {"Architecture"},
    "probe": {"count_parameters"},
    "train": {"train"},
    "build": {"build"},
    "devices": {"choose_device", "library_versions"},
    "data": set(),
    "image_size": {"choose_image_size"},
    "model": {"build_model"},
    "weights": {"load_pretrained", "copy_weights"},
    "checkpoint": {"save_checkpoint", "load_checkpoint"},
    "optimization": set(),
    "parallel": set(),
    "validation": {"validate"},
    "best_model": {"BestModel"},
    "log_messages": {"log_start", "log_epoch"},
    "network": {"load_network"},
    "operations": {"predict", "export", "evaluate"},
}
"""Modules of every service, with the names that each of them defines. docs/adding-a-framework.md describes them."""

OWN_ROOMS = {
    "timm": {
        "capabilities": "timm's architectures differ in their settings, so that each set of them has a schema",
        "transforms": "timm leaves the transforms of images to its users",
    },
    "ultralytics": {
        "kinds": "the library has a trainer, a label format and settings for each kind of network",
        "library": "the library must be configured before it is imported",
        "loader": "the library's loader depends on what ran before, and is made to depend on the epoch alone",
        "metrics": "the library has losses and measures of its own",
        "predictions": "the library's validators predict in forms of their own",
        "trainer": "the library's trainers have the training loop",
    },
    "huggingface": {
        "callback": "the library's Trainer calls back around its steps",
        "known_models": "configurations of well-known checkpoints are written out, to be counted without the hub",
        "model_inputs": "two model types take something else than pixels",
        "position_embeddings": "weights of transformers depend on the size of images, and are resampled",
        "tasks": "labels, loss and measure differ between tasks, the training does not",
        "trainer": "the library's Trainer has the training loop",
        "transforms": "transformers leaves the transforms of images to its users",
    },
}
"""Modules that one service has for a reason that is its framework's."""


def package(service: str) -> Path:
    return ROOT / "services" / service / "src" / f"{service}_service"


def modules(service: str) -> set[str]:
    paths = package(service).iterdir()
    found = {path.stem for path in paths if path.suffix == ".py" or (path / "__init__.py").is_file()}
    return found - {"__init__"}


def defined_names(path: Path) -> set[str]:
    """Names of a module's own functions, classes and variables."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {part.id for target in node.targets for part in ast.walk(target) if isinstance(part, ast.Name)}
    return names


@pytest.mark.parametrize("service", OWN_ROOMS)
def test_a_service_has_the_common_rooms_and_those_of_its_framework(service: str) -> None:
    assert modules(service) == ROOMS.keys() | OWN_ROOMS[service].keys()


@pytest.mark.parametrize("service", OWN_ROOMS)
def test_the_same_thing_has_the_same_name_in_every_service(service: str) -> None:
    missing = {
        room: names - defined_names(package(service) / f"{room}.py")
        for room, names in ROOMS.items()
        if names and not names <= defined_names(package(service) / f"{room}.py")
    }

    assert missing == {}


def test_the_rooms_are_described() -> None:
    text = (ROOT / "docs" / "adding-a-framework.md").read_text()
    described = text.partition("## The rooms of a service")[2]

    assert [room for room in ROOMS if f"`{room}`" not in described] == []
    assert [room for rooms in OWN_ROOMS.values() for room in rooms if f"`{room}`" not in described] == []


def plain_file(service: str, name: str) -> str:
    """Text of a service's file, with placeholders for its name and its licence."""
    folder = ROOT / "services" / service
    text = (folder / name).read_text()
    licence = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["license"]
    return text.replace(f'licenses="{licence}"', 'licenses="LICENCE"').replace(service, "SERVICE")


@pytest.mark.parametrize("name", ["Dockerfile", "railway.toml"])
def test_images_of_services_differ_in_name_and_licence_alone(name: str) -> None:
    assert len({plain_file(service, name) for service in OWN_ROOMS}) == 1


def spoken_texts(service: str) -> set[str]:
    """Longer strings of a service's code that are no docstrings: descriptions of settings, errors, lines of logs."""
    found: set[str] = set()
    for path in package(service).rglob("*.py"):
        tree = ast.parse(path.read_text())
        documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        found |= {
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
        }
    return {text for text in found if len(text) >= 40}


@pytest.mark.parametrize("pair", list(itertools.combinations(OWN_ROOMS, 2)), ids="-".join)
def test_what_two_services_say_alike_is_said_by_the_kit(pair: tuple[str, str]) -> None:
    one, other = pair
    assert spoken_texts(one) & spoken_texts(other) == set()
