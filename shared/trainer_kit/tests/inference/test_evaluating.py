"""The evaluation of a network's outputs gives the same metrics as a training, in pixels and classes of the data set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from data_kit import Dataset, Instance, Sample, Split
from trainer_kit.evaluation import Detections, ObjectEvaluator
from trainer_kit.inference import Description, Preprocessing
from trainer_kit.inference.evaluating import NetworkEvaluation
from trainer_kit.trainer import TrainingError
from vision_contracts import DatasetFormat, TaskType

WIDTH, HEIGHT = 64, 48
INPUT = 32
"""Half the image's width: the image lies in it from y = 4 to 28."""
BOX = (8.0, 8.0, 40.0, 32.0)
OUTLINE = (8.0, 8.0, 40.0, 8.0, 40.0, 32.0, 8.0, 32.0)
DOG = 0
"""Class id of the data set. The network has the classes in another order."""


@dataclass
class Outputs:
    """A network that gives the same outputs for every image."""

    description: Description
    outputs: dict[str, Any]

    def run(self, _pixels: Any) -> dict[str, Any]:
        return {name: value[None].astype(np.float32) for name, value in self.outputs.items()}


def to_input(points: Any) -> Any:
    """Convert points (…, 2) of the image to points of the network's input."""
    return np.asarray(points, dtype=float) / 2 + (0, 4)


def evaluate(tmp_path: Path, task: TaskType, instance: dict[str, Any], **outputs: Any) -> ObjectEvaluator:
    """Evaluate one image with one dog, which the network detects as a dog."""
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "0.png")
    dog = Instance(class_id=0, box=BOX, **instance)
    sample = Sample(tmp_path / "0.png", WIDTH, HEIGHT, instances=(dog,))
    dataset = Dataset(
        tmp_path, DatasetFormat.COCO, frozenset({task}), ("dog", "cat"), {Split.TRAIN: [sample], Split.VAL: [sample]}
    )
    description = Description(
        framework="fake", model_name="answers", task_type=task, class_names=["cat", "dog"],
        preprocessing=Preprocessing(size=(INPUT, INPUT), resize="letterbox"),
    )  # fmt: skip
    boxes = {"boxes": to_input(np.reshape(BOX, (2, 2))).reshape(1, 4), "scores": np.array([[0.0, 0.9]])}
    evaluation = NetworkEvaluation(Outputs(description, boxes | outputs), dataset)  # pyright: ignore[reportArgumentType]
    evaluation.add(sample)
    return evaluation.evaluator


def test_a_correct_box_has_full_precision(tmp_path: Path) -> None:
    evaluation = evaluate(tmp_path, TaskType.OBJECT_DETECTION, {}).evaluate()
    assert evaluation.values["map50_95"] == 1
    assert evaluation.confusion.counts[DOG][DOG] == 1


def test_a_correct_mask_has_full_precision(tmp_path: Path) -> None:
    prototypes = np.full((1, INPUT, INPUT), -1.0)
    (x1, y1), (x2, y2) = to_input(np.reshape(BOX, (2, 2))).astype(int)
    prototypes[0, y1:y2, x1:x2] = 1
    outputs = {"coefficients": np.array([[1.0]]), "prototypes": prototypes}
    evaluator = evaluate(tmp_path, TaskType.INSTANCE_SEGMENTATION, {"polygons": (OUTLINE,)}, **outputs)
    assert evaluator.evaluate().values["map50_95"] == 1
    mask = evaluator.gallery.samples[0].prediction.masks[0]
    assert (mask.shape, int(mask.sum())) == ((HEIGHT, WIDTH), 32 * 24)


def test_a_correct_oriented_box_has_full_precision(tmp_path: Path) -> None:
    turned = np.array([[*to_input((24, 20)), 16, 12, 0.0]])
    evaluator = evaluate(tmp_path, TaskType.ORIENTED_OBJECT_DETECTION, {"corners": OUTLINE}, boxes=turned)
    assert evaluator.values()["val/map50_95"] == 1


@pytest.mark.parametrize(("apart", "precision"), [(0, 1), (6, 0.9), (9, 0.7), (12, 0.5)])
def test_keypoints_have_the_same_precision_as_in_a_training(tmp_path: Path, apart: float, precision: float) -> None:
    """The scale without an outline is 0.53 of the box, 407 px²: a distance of 12 px in x and y has an OKS of 0.70."""
    points = np.array([(12.0, 12.0), (36.0, 28.0)])
    labelled = {"keypoints": tuple((x, y, 2) for x, y in points.tolist())}
    found = np.concatenate([to_input(points + apart), np.ones((2, 1))], axis=1)[None]

    values = evaluate(tmp_path, TaskType.POSE_ESTIMATION, labelled, keypoints=found).values()

    trained = ObjectEvaluator(["dog", "cat"], TaskType.POSE_ESTIMATION)
    trained.add(
        Sample(tmp_path / "0.png", WIDTH, HEIGHT, instances=(Instance(class_id=DOG, box=BOX, **labelled),)),
        Detections(np.array([0.9]), np.array([DOG]), np.array([BOX]), keypoints=points[None] + apart),
    )
    assert values == trained.values()
    assert values["val/map50_95"] == pytest.approx(precision)


def test_an_image_without_detections_has_no_precision(tmp_path: Path) -> None:
    for task, outputs in (
        (TaskType.OBJECT_DETECTION, {}),
        (TaskType.POSE_ESTIMATION, {"keypoints": np.zeros((1, 1, 3))}),
        (TaskType.INSTANCE_SEGMENTATION, {"coefficients": np.zeros((1, 1)), "prototypes": np.zeros((1, 8, 8))}),
        (TaskType.ORIENTED_OBJECT_DETECTION, {"boxes": np.zeros((1, 5))}),
    ):
        instance = {"keypoints": ((9.0, 9.0, 2),), "polygons": (OUTLINE,), "corners": OUTLINE}
        evaluator = evaluate(tmp_path, task, instance, **(outputs | {"scores": np.zeros((1, 2))}))
        assert evaluator.values()["val/map50_95"] == 0


def test_another_number_of_keypoints_is_bad_data(tmp_path: Path) -> None:
    labelled = {"keypoints": ((12.0, 12.0, 2), (36.0, 28.0, 2))}
    with pytest.raises(TrainingError, match="The labels have 2 keypoints, and the network knows 1"):
        evaluate(tmp_path, TaskType.POSE_ESTIMATION, labelled, keypoints=np.zeros((1, 1, 3)))


@pytest.mark.parametrize("background", [0, 1])
def test_a_class_named_background_is_not_the_background(tmp_path: Path, background: int) -> None:
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "0.png")
    sample = Sample(tmp_path / "0.png", WIDTH, HEIGHT, instances=(Instance(0, BOX, polygons=(OUTLINE,)),))
    task = TaskType.SEMANTIC_SEGMENTATION
    dataset = Dataset(tmp_path, DatasetFormat.COCO, frozenset({task}), ("background",), {Split.VAL: [sample]})
    description = Description(
        framework="fake", model_name="answers", task_type=task, class_names=["background", "background"],
        preprocessing=Preprocessing(size=(INPUT, INPUT), resize="squash"), background=background,
    )  # fmt: skip
    scores = np.zeros((2, INPUT, INPUT))
    evaluation = NetworkEvaluation(Outputs(description, {"scores": scores}), dataset)  # pyright: ignore[reportArgumentType]

    evaluation.add(sample)

    no_class, named_so = evaluation.evaluator.confusion.sum(1)
    assert (named_so, no_class) == (32 * 24, WIDTH * HEIGHT - 32 * 24)
    assert evaluation.evaluator.confusion.sum(0)[background] == WIDTH * HEIGHT, "the first output wins everywhere"
