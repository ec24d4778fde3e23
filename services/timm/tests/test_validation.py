"""The validation of a training and the evaluation of a checkpoint measure stored predictions against the same truth."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torchvision.transforms.v2.functional import pil_to_tensor

from data_kit import Split
from timm_service.data import Batches, Images, make_loader
from timm_service.validation import validate
from trainer_kit.testing.stored_predictions import SIDE, evaluate_stored, hard_dataset, record_updates
from vision_contracts import TaskType

LOGITS = torch.tensor([[2.0, 1.0]])


class Answers(torch.nn.Module):
    """The same for every image."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return LOGITS.repeat(len(images), 1)


def test_training_and_evaluation_report_the_same_to_the_last_digit(tmp_path: Path) -> None:
    task, device = TaskType.IMAGE_CLASSIFICATION, torch.device("cpu")
    dataset = hard_dataset(tmp_path, task)
    images = Images(dataset, Split.VAL, lambda image: pil_to_tensor(image.resize((SIDE, SIDE))).float())
    loader = make_loader(images, Batches(len(images), 3, seed=0, shuffle=False), device=device, workers=0)
    run: Any = SimpleNamespace(dataset=dataset, stop_requested=lambda: False)
    setup: Any = SimpleNamespace(autocast=nullcontext, device=device)

    with record_updates() as in_training:
        _, training = validate(run, Answers(), setup, loader)
    with record_updates() as in_evaluation:
        evaluation = evaluate_stored(dataset, task, {"probabilities": LOGITS.softmax(1)[0].numpy()})

    assert in_training == in_evaluation == [{"labels": number % 2} for number in range(len(images))]
    assert training.values() == evaluation.values()
    assert training.evaluate() == evaluation.evaluate()
