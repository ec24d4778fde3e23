"""Object detection: real training, and what stands between labels and boxes."""

from pathlib import Path

import pytest
import torch
from conftest import StartTraining
from torchvision import tv_tensors

from huggingface_service.architectures import find_architecture
from huggingface_service.model import build_model
from huggingface_service.tasks.detection import best_detections, visible_objects
from trainer_kit.testing.variants import variants
from vision_contracts import TaskType

DETECTION = TaskType.OBJECT_DETECTION


def test_a_detector_learns_and_is_measured_by_average_precision(attempt: StartTraining, squares: Path) -> None:
    done = attempt(
        data=squares,
        task_type=DETECTION,
        model_name="hustvl/yolos-tiny",
        params={"epochs": 8, "batch_size": 4, "learning_rate": 1e-3},
        hyperparameters={"image_size": 64, "backbone_lr": 0.5, "min_crop": 1.0},
    ).run()

    losses = list(done.points("train/loss").values())
    assert sum(losses[-4:]) < 0.9 * sum(losses[:4])
    assert list(done.points("val/map50_95")) == list(done.points("val/map50")) == [2, 4, 6, 8, 10, 12, 14, 16]
    assert done.final is not None
    assert 0 <= done.final["val/map50_95"] <= done.final["val/map50"] <= 1
    assert done.report.splits["val"].values["map50_95"] == done.final["val/map50_95"]
    assert done.started.num_classes == 2


@pytest.mark.parametrize("size", variants([32, 64, 96], quick=[32]))
@pytest.mark.parametrize(
    "name", ["rt_detr", "rt_detr_v2", "d_fine", "deimv2", "SenseTime/deformable-detr-with-box-refine-two-stage"]
)
def test_a_detector_that_chooses_its_queries_takes_small_images(name: str, size: int) -> None:
    config = find_architecture(name).fitted_config(DETECTION, class_names=("a", "b"), image_size=size)
    model = build_model(config, DETECTION).eval()

    with torch.inference_mode():
        boxes = model(torch.zeros(1, 3, size, size)).pred_boxes

    assert 20 <= boxes.shape[1] < 300


def test_objects_are_relative_to_the_image_and_lost_ones_are_dropped() -> None:
    boxes = tv_tensors.BoundingBoxes(
        torch.tensor([[10.0, 0.0, 30.0, 20.0], [-50.0, 0.0, -10.0, 20.0], [90.0, 40.0, 120.0, 60.0]]),
        format="XYXY",
        canvas_size=(50, 100),
    )

    kept = visible_objects({"boxes": boxes, "classes": torch.tensor([2, 1, 0])})

    assert kept["class_labels"].tolist() == [2, 0]
    assert torch.allclose(kept["boxes"], torch.tensor([[0.2, 0.2, 0.2, 0.4], [0.95, 0.9, 0.1, 0.2]]))


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        pytest.param([[0.0, 2.0, 9.0], [3.0, 0.0, 0.0]], (0, 1), id="last-output-is-no-object"),
        pytest.param([[-2.0, 4.0], [1.0, -3.0]], (1, 0), id="each-class-by-itself"),
    ],
)
def test_the_most_probable_class_of_all_queries_comes_first(
    logits: list[list[float]], expected: tuple[int, int]
) -> None:
    scores, classes, queries = best_detections(torch.tensor([logits]), num_labels=2)

    assert (int(classes[0, 0]), int(queries[0, 0])) == expected
    assert scores[0].tolist() == sorted(scores[0].tolist(), reverse=True)
    assert scores.shape == (1, 4)
