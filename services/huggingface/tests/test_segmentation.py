"""Semantic segmentation: real training, and masks from outlines."""

from pathlib import Path

import pytest
import torch
from conftest import StartTraining

from data_kit import Instance, Sample
from huggingface_service.tasks.segmentation import Segmented
from vision_contracts import TaskType


def test_a_segmenter_learns_and_is_measured_by_overlap(attempt: StartTraining, squares: Path) -> None:
    done = attempt(
        data=squares,
        task_type=TaskType.SEMANTIC_SEGMENTATION,
        model_name="nvidia/segformer-b0-finetuned-ade-512-512",
        params={"epochs": 4, "batch_size": 4},
        hyperparameters={"image_size": 64},
    ).run()

    losses = list(done.points("train/loss").values())
    assert sum(losses[-2:]) < 0.8 * sum(losses[:2])
    assert list(done.points("val/miou")) == [2, 4, 6, 8]
    assert done.final is not None
    assert done.final["val/miou"] > 0.25
    assert done.report.splits["val"].values["miou"] == done.final["val/miou"]
    assert done.started.num_classes == 2


def test_what_is_predicted_for_the_square_is_measured_in_pixels_of_the_image() -> None:
    """A wide image, of which the network sees a square of two by two."""
    left = Instance(0, (0, 0, 4, 4), polygons=((0, 0, 4, 0, 4, 4, 0, 4),))
    sample = Sample(Path("x.png"), width=8, height=4, instances=(left,))
    measure = Segmented(("background", "thing"), [sample])
    logits = torch.nn.functional.one_hot(torch.tensor([[[1, 0], [1, 1]]]), 2).permute(0, 3, 1, 2).float()

    measure.update(logits, {})

    # 16 of 32 pixels are labelled and found; 8 of the background are taken for the thing
    assert measure.evaluator.values() == {"val/miou": pytest.approx((16 / 24 + 8 / 16) / 2)}
