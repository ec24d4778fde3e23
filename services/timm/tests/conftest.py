"""Fixtures of every test: a data set of drawn shapes, and trainings on it."""

from pathlib import Path
from typing import Any

import pytest
from trainings import StartTraining, Training, draw_shapes, get_card, make_spec, open_shapes, state_of

from timm_service.adapter import adapter
from trainer_kit.trainer import TrainingRun


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ImageFolder of three classes, 24 training and 9 validation images of 40 px."""
    return draw_shapes(tmp_path_factory.mktemp("shapes"), train=8, val=3)


@pytest.fixture
def training(shapes: Path, tmp_path: Path) -> StartTraining:
    """`training(model, epochs=…, resume_from=…, <hyperparameter>=…)`, ready to train."""

    def make(
        model_name: str = "test_resnet",
        *,
        dataset: Path = shapes,
        resume_from: Path | None = None,
        best_checkpoint: Path | None = None,
        initial_checkpoint: Path | None = None,
        initial_weights: str = "scratch",
        params: dict[str, Any] | None = None,
        **hyperparameters: Any,
    ) -> Training:
        card = get_card(model_name)
        folder = tmp_path / f"attempt-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        result: Training
        run = TrainingRun(
            spec=make_spec(card, initial_weights, params or {}),
            card=card,
            hyperparameters=adapter.hyperparameters(card)(**{"image_size": 32, **hyperparameters}),
            dataset=open_shapes(dataset),
            folder=folder,
            send=lambda message: result.receive(message),
            resume_from=resume_from,
            resume_state=state_of(resume_from) if resume_from and state_of(resume_from).exists() else None,
            best_checkpoint=best_checkpoint,
            draws_pictures=False,
            initial_checkpoint=initial_checkpoint,
        )
        result = Training(run)
        return result

    return make
