"""Semantic segmentation: real training, and masks from outlines."""

from pathlib import Path

import pytest
import torch
from conftest import StartTraining

from data_kit import Instance, Sample
from huggingface_service.tasks.segmentation import IGNORED, MeanIntersectionOverUnion, draw_mask
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
    assert done.started.num_classes == 2


def test_small_objects_lie_on_large_ones_and_crowds_are_ignored() -> None:
    small = Instance(0, (4, 4, 6, 6), polygons=((4, 4, 6, 4, 6, 6, 4, 6),))
    large = Instance(1, (2, 2, 9, 9), polygons=((2, 2, 9, 2, 9, 9, 2, 9),))
    crowd = Instance(0, (0, 0, 1, 1), polygons=((0, 0, 1, 0, 1, 1, 0, 1),), is_crowd=True)

    mask = draw_mask(Sample(Path("x.png"), width=12, height=10, instances=(small, large, crowd)))

    assert mask.shape == (10, 12)
    assert (mask[0, 0], mask[3, 3], mask[5, 5], mask[9, 11]) == (IGNORED, 2, 1, 0)


def test_overlap_is_averaged_over_the_classes_that_occur() -> None:
    measure = MeanIntersectionOverUnion(3)
    logits = torch.nn.functional.one_hot(torch.tensor([[[0, 0], [1, 1]]]), 3).permute(0, 3, 1, 2).float()

    measure.update(logits, {"labels": torch.tensor([[[0, 1], [1, IGNORED]]])})

    # background: 1 of 2 pixels; class 1: 1 of 2; class 2 is neither labelled nor predicted
    assert measure.compute() == {"val/miou": pytest.approx(0.5)}
