"""Instance segmentation: real training, and masks that are measured in the image."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from attempts import Attempt
from conftest import StartTraining

from data_kit import Instance, Sample
from huggingface_service.architectures import find_architecture
from huggingface_service.model import build_model
from huggingface_service.network import instances
from huggingface_service.tasks.instances import Delineated, InstanceSegmentation
from vision_contracts import TaskType

INSTANCES = TaskType.INSTANCE_SEGMENTATION


def test_a_mask_classifier_trains_and_is_measured_by_its_masks(attempt: StartTraining, squares: Path) -> None:
    done = train(attempt, squares, epochs=1)

    assert list(done.points("val/map50_95")) == list(done.points("val/map50")) == [2]
    assert all(loss and loss > 0 for loss in done.points("train/loss").values())
    assert done.final is not None
    assert done.started.num_classes == 2


@pytest.mark.thorough
def test_a_mask_classifier_learns(attempt: StartTraining, squares: Path) -> None:
    losses = list(train(attempt, squares, epochs=12).points("train/loss").values())

    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])


def train(attempt: StartTraining, squares: Path, *, epochs: int) -> Attempt:
    return attempt(
        data=squares,
        task_type=INSTANCES,
        model_name="facebook/maskformer-swin-tiny-coco",
        params={"epochs": epochs, "batch_size": 4, "learning_rate": 2e-4},
        hyperparameters={"image_size": 64, "min_crop": 1.0},
    ).run()


def test_a_mask_is_measured_in_pixels_of_the_image_and_an_empty_one_is_none() -> None:
    """A wide image, of which the network sees a square of four by four."""
    left = Instance(1, (0, 0, 8, 8), polygons=((0, 0, 8, 0, 8, 8, 0, 8),))
    sample = Sample(Path("x.png"), width=16, height=8, instances=(left,))
    measure = Delineated(("a", "b"), [sample])
    masks = torch.full((1, 2, 4, 4), -9.0)
    masks[0, 0, :, :2] = 9.0
    logits = torch.tensor([[[-9.0, 9.0, -9.0], [9.0, -9.0, -9.0]]])

    outputs = SimpleNamespace(class_queries_logits=logits, masks_queries_logits=masks)
    measure.update(outputs, {"pixels": torch.zeros(1, 3, 4, 4), "labels": [{}]})

    assert measure.evaluator.values()["val/map50_95"] == pytest.approx(1.0)


def test_a_prediction_has_the_box_of_its_mask_and_a_mask_without_pixels_no_score() -> None:
    masks = torch.full((1, 2, 4, 8), -9.0)
    masks[0, 0, 1:3, 2:7] = 9.0
    classes = torch.tensor([[[0.0, 9.0, 0.0], [9.0, 0.0, 0.0]]])

    boxes, scores, coefficients, prototypes = instances(classes, masks, (4, 8))

    assert boxes.tolist() == [[[2, 1, 7, 3], [0, 0, 0, 0]]]
    assert scores[0, 0].tolist() == pytest.approx([0, 1], abs=1e-3)
    assert scores[0, 1].tolist() == [0, 0]
    assert torch.equal(torch.einsum("nqm,nmhw->nqhw", coefficients, prototypes), masks)


def test_images_without_objects_are_learnt_from_too(attempt: StartTraining, squares: Path) -> None:
    model_name = "facebook/mask2former-swin-tiny-coco-instance"
    run = attempt(
        data=squares, task_type=INSTANCES, model_name=model_name, hyperparameters={"image_size": 64}
    ).make_run()
    task = InstanceSegmentation(run.dataset, run.hyperparameters)
    config = find_architecture(model_name).fitted_config(INSTANCES, class_names=("a", "b"), image_size=64)
    empty = {"class_labels": torch.zeros(0, dtype=torch.int64), "masks": torch.zeros(0, 64, 64)}
    one = {"class_labels": torch.tensor([1]), "masks": torch.ones(1, 64, 64)}
    batch = {"pixels": torch.rand(2, 3, 64, 64), "labels": [empty, one]}
    loss, _ = task.loss(build_model(config, INSTANCES).train(), batch)
    loss.backward()
    assert loss.isfinite()
