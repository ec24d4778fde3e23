"""Fixtures of every test: drawn data sets, and trainings on them."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before the library reads it: no test may reach the hub

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from attempts import Attempt
from drawings import draw_colors, draw_squares

torch.set_num_threads(1)

StartTraining = Callable[..., Attempt]


@pytest.fixture(scope="session")
def colors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ImageFolder of three classes."""
    return draw_colors(tmp_path_factory.mktemp("colors"))


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """COCO with boxes and outlines of two classes."""
    return draw_squares(tmp_path_factory.mktemp("squares"))


@pytest.fixture
def attempt(tmp_path: Path, colors: Path) -> StartTraining:
    """`attempt(name, model_name=…, params=…, …)`: a training that can be run."""

    def make(name: str = "attempt", *, data: Path = colors, **fields: Any) -> Attempt:
        return Attempt(tmp_path / name, data, **fields)

    return make
