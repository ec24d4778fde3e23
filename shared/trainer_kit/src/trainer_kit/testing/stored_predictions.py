"""Data sets with ambiguous labels and fixed predictions, for tests that compare a service's own validation with the
evaluation of a checkpoint.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from data_kit import Dataset, Instance, Keypoint, Polygon, Sample, Split
from data_kit.geometry import polygon_instance
from data_kit.images import read_size
from data_kit.masks import outlines
from trainer_kit.evaluation import ClassificationEvaluator, DetectionEvaluator, Evaluator, SegmentationEvaluator
from trainer_kit.inference import Arrays, Description, Preprocessing
from trainer_kit.inference.evaluating import NetworkEvaluation
from vision_contracts import DatasetFormat, TaskType

SIDE = 32
"""Side in pixels of the network's input, and of every image but the turned one."""
BOXES = ((2, 2, 6, 6), (10, 6, 17, 13), (24, 20, 32, 28), (3, 13, 9, 20), (12, 12, 20, 20), (5, 9, 12, 15))
"""Boxes predicted for every image, in pixels of the input: some match a label, some nearly, and some none."""
SCORES = (0.95, 0.875, 0.75, 0.625, 0.5, 0.375)
KEYPOINTS = 2
TURN_RIGHT = 6
"""The EXIF orientation of an image to be rotated by 90 degrees."""


def square(x: float, y: float, side: float = 4) -> Polygon:
    """Outline of a square of side² pixels."""
    return (x, y, x + side, y, x + side, y + side, x, y + side)


def ring() -> Polygon:
    """Outline of a square of 12 by 12 pixels with a hole of 6 by 6."""
    mask = np.zeros((SIDE, SIDE), dtype=np.bool_)
    mask[10:22, 10:22] = True
    mask[13:19, 13:19] = False
    (outline,) = outlines(mask)
    return outline


def labelled(*polygons: Polygon, class_id: int = 0, seen: int = 2, is_crowd: bool = False) -> Instance:
    """Object with labels for every task. `seen` is the visibility of its second keypoint; the first one is visible
    unless `seen` is 0.
    """
    x1, y1, x2, y2 = polygons[0][:2] + polygons[0][4:6]
    ends: tuple[Keypoint, ...] = ((x1, y1, 2), (x2, y2, seen) if seen else (0.0, 0.0, 0))
    instance = polygon_instance(class_id, polygons, keypoints=ends, is_crowd=is_crowd)
    return replace(instance, corners=polygons[0] if len(polygons[0]) == 8 else square(10, 10, 12))


OBJECTS: dict[str, tuple[Instance, ...]] = {
    "square": (labelled(square(2, 2)),),
    "parts": (labelled(square(2, 2), square(10, 6, 7), class_id=1), labelled(square(3, 13, 6), seen=1)),
    "hole": (labelled(ring(), class_id=1), labelled(square(14, 14, 3), seen=0)),
    "leaving": (labelled(square(24, 20, 12)),),
    "crowd": (labelled(square(10, 4, 14), class_id=1, is_crowd=True), labelled(square(2, 2), class_id=1)),
    "unlabelled": (),
    "turned": (replace(labelled(square(2, 2)), keypoints=()), labelled(square(12, 8, 8), class_id=1)),
}


def hard_dataset(folder: Path, task_type: TaskType, *, classes: int = 2, with_turned: bool = True) -> Dataset:
    """Write a data set with an image for each entry of `OBJECTS`, numbered as by the writers of the data kit. The
    turned one has 32 by 24 pixels when it is upright; the others are square.
    """
    samples: list[Sample] = []
    for number, (name, objects) in enumerate(OBJECTS.items()):
        if name == "turned" and not with_turned:
            continue
        path = folder / f"{number:06d}-{name}.png"
        _write_image(path, is_turned=name == "turned")
        width, height = read_size(path)
        if task_type is TaskType.IMAGE_CLASSIFICATION:
            samples.append(Sample(path, width, height, class_id=number % classes))
        else:
            instances = tuple(replace(one, class_id=one.class_id % classes) for one in objects)
            samples.append(Sample(path, width, height, instances=instances))
    names = ("dog", "cat")[:classes]
    return Dataset(
        folder, DatasetFormat.COCO, frozenset({task_type}), names, {Split.TRAIN: samples, Split.VAL: samples}
    )


def _write_image(path: Path, *, is_turned: bool) -> None:
    exif = Image.Exif()
    if is_turned:
        exif[ExifTags.Base.Orientation] = TURN_RIGHT
    Image.new("RGB", (24, SIDE) if is_turned else (SIDE, SIDE)).save(path, exif=exif)


def stored_outputs(task_type: TaskType, *, classes: int = 2) -> Arrays:
    """Outputs of a network for one image: objects are `BOXES`, and label maps have stripes of three columns."""
    boxes = np.array(BOXES, dtype=np.float32)
    scores = np.zeros((len(BOXES), classes), dtype=np.float32)
    scores[np.arange(len(BOXES)), np.arange(len(BOXES)) % classes] = SCORES
    match task_type:
        case TaskType.IMAGE_CLASSIFICATION:
            return {"probabilities": np.array([0.625, 0.375][:classes], dtype=np.float32)}
        case TaskType.SEMANTIC_SEGMENTATION:
            columns = np.arange(SIDE) // 3 % (classes + 1)
            one_hot = np.eye(classes + 1, dtype=np.float32)[columns].T[:, None, :]
            return {"scores": np.repeat(one_hot, SIDE, axis=1)}
        case TaskType.ORIENTED_OBJECT_DETECTION:
            middles, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
            return {"boxes": np.concatenate([middles, sizes, np.zeros_like(sizes[:, :1])], axis=1), "scores": scores}
        case TaskType.POSE_ESTIMATION:
            points = np.concatenate([boxes.reshape(-1, 2, 2), np.ones((len(BOXES), 2, 1), np.float32)], axis=2)
            return {"boxes": boxes, "scores": scores, "keypoints": points}
        case TaskType.INSTANCE_SEGMENTATION:
            own = np.eye(len(BOXES), dtype=np.float32)
            return {"boxes": boxes, "scores": scores, "coefficients": own, "prototypes": masks() * np.float32(2) - 1}
        case _:
            return {"boxes": boxes, "scores": scores}


def masks() -> Any:
    """(n, SIDE, SIDE): masks of `BOXES`, filled."""
    filled = np.zeros((len(BOXES), SIDE, SIDE), dtype=np.bool_)
    for mask, (x1, y1, x2, y2) in zip(filled, BOXES, strict=True):
        mask[y1:y2, x1:x2] = True
    return filled


def evaluate_stored(dataset: Dataset, task_type: TaskType, outputs: Arrays, **description: Any) -> Evaluator:
    """Evaluate a network that gives `outputs` for every image, as the evaluation of a checkpoint does."""
    settings: dict[str, Any] = {"class_names": list(dataset.class_names), "resize": "letterbox"} | description
    preprocessing = Preprocessing(size=(SIDE, SIDE), resize=settings.pop("resize"))
    network = _Answers(
        Description(
            framework="stored", model_name="answers", task_type=task_type, preprocessing=preprocessing, **settings
        ),
        outputs,
    )
    evaluation = NetworkEvaluation(network, dataset)
    for sample in evaluation.dataset[Split.VAL]:
        evaluation.add(sample)
    return evaluation.evaluator


class _Answers:
    """A `trainer_kit.inference.Network` with the same outputs for every image. It cannot be exported."""

    device = "cpu"

    def __init__(self, description: Description, outputs: Arrays) -> None:
        self.description = description
        self._outputs = outputs

    def run(self, pixels: Any) -> Arrays:
        return {name: np.repeat(value[None], len(pixels), axis=0) for name, value in self._outputs.items()}

    def write_onnx(self, path: Path) -> None:
        raise NotImplementedError

    def write_torchscript(self, path: Path) -> Any:
        raise NotImplementedError

    def tensors(self) -> dict[str, Any]:
        return {}


EvaluatorUpdates = list[dict[str, Any]]


@contextmanager
def record_updates() -> Generator[EvaluatorUpdates]:
    """Record the updates of all evaluators, as lists that can be compared: the ground truth, and its overlaps with the
    predictions.
    """
    calls: EvaluatorUpdates = []
    kinds: tuple[Any, ...] = (ClassificationEvaluator, SegmentationEvaluator, DetectionEvaluator)
    originals = [kind.update for kind in kinds]
    for kind, original in zip(kinds, originals, strict=True):
        kind.update = _recording(original, calls)
    try:
        yield calls
    finally:
        for kind, original in zip(kinds, originals, strict=True):
            kind.update = original


def _recording(original: Callable[..., None], calls: EvaluatorUpdates) -> Callable[..., None]:
    names = original.__code__.co_varnames[1 : original.__code__.co_argcount + original.__code__.co_kwonlyargcount]

    def update(self: Any, *arguments: Any, **named: Any) -> None:
        values = dict(zip(names, arguments, strict=False)) | named
        calls.extend(_of_images(values))
        original(self, *arguments, **named)

    return update


def _of_images(values: dict[str, Any]) -> EvaluatorUpdates:
    """Split an update into images: classes and label maps come in batches, objects image by image."""
    if "labels" in values:
        return [{"labels": np.asarray(one).tolist()} for one in values["labels"]]
    truth = ("overlap", "true_classes", "true_areas", "crowd", "ignored")
    return [{name: None if values.get(name) is None else np.asarray(values[name]).tolist() for name in truth}]
