"""Every model type takes two training steps in each of its tasks. Minutes: `pytest -m thorough`."""

from pathlib import Path

import pytest
from conftest import StartTraining

from huggingface_service.architectures import Architecture, architectures
from vision_contracts import TaskType

TYPES = [
    pytest.param(architecture, task, id=f"{architecture.name}-{task}")
    for architecture in architectures()
    if architecture.hub_id is None
    for task in architecture.task_types
]


@pytest.mark.thorough
@pytest.mark.parametrize(("architecture", "task"), TYPES)
def test_it_trains_from_the_default_configuration(
    attempt: StartTraining, colors: Path, squares: Path, architecture: Architecture, task: TaskType
) -> None:
    done = attempt(
        data=colors if task is TaskType.IMAGE_CLASSIFICATION else squares,
        model_name=architecture.name,
        task_type=task,
        params={"batch_size": 9 if task is TaskType.IMAGE_CLASSIFICATION else 4, "learning_rate": 1e-4},
        hyperparameters={"image_size": "auto"},
    ).run()

    assert all(loss is not None for loss in done.points("train/loss").values())
    assert done.final is not None
