"""Evaluations: a checkpoint measured by the one evaluator, on a split of whatever data set has its classes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from data_kit import Dataset, Instance, Sample, Split, load_image
from trainer_kit.evaluation import (
    IGNORED,
    ClassificationEvaluator,
    DetectionEvaluator,
    SegmentationEvaluator,
    box_areas,
    box_overlaps,
    keypoint_overlaps,
    mask_overlaps,
)
from trainer_kit.evaluation.objects import keypoint_sigmas, labelled_areas, labelled_boxes
from trainer_kit.inference import portable
from trainer_kit.inference.network import LoadNetwork, Network, begin
from trainer_kit.inference.predicting import as_json, run_on
from trainer_kit.trainer import TrainingError, WorkRun
from vision_contracts import ArtifactKind, EndReason, EvaluateWork, EvaluationReport, Metrics, SplitEvaluation, TaskType

LOWEST_SCORE = 0.001
MASK_SIDE = 640
"""Masks are compared at this longest side: a hundred of a large photograph would fill the memory."""


def evaluate(load_network: LoadNetwork) -> Callable[[WorkRun[Any]], None]:
    """A framework's work of the kind `evaluate`."""

    def work(run: WorkRun[Any]) -> None:
        network = begin(run, load_network)
        assert isinstance(run.spec.work, EvaluateWork)  # noqa: S101 - the spec's promise
        assert run.dataset is not None  # noqa: S101 - an evaluation is given one
        split = Split(run.spec.work.split)
        measure = Measure(network, run.dataset)
        samples = run.dataset.splits.get(split, ())
        if not any(sample.class_ids for sample in samples):
            raise TrainingError(EndReason.BAD_DATA, f"The data set has no labelled {split}. Choose another split.")
        for number, sample in enumerate(samples):
            measure.add(sample)
            run.report(number + 1, len(samples))
        _tell(run, split, measure)

    return work


def _tell(run: WorkRun[Any], split: Split, measure: "Measure") -> None:
    values = {name.replace("val/", f"{split}/", 1): value for name, value in measure.evaluator.values().items()}
    evaluation: SplitEvaluation = measure.evaluator.evaluate()
    report = EvaluationReport(
        framework=run.spec.framework,
        model_name=run.spec.model_name,
        task_type=run.spec.task_type,
        primary_metric=measure.evaluator.primary_metric,
        epoch=0,
        splits={split.value: evaluation},
    )
    path = run.folder / "evaluation.json"
    path.write_text(report.model_dump_json(indent=1))
    name = f"evaluations/{(run.spec.dataset.digest or 'folder')[:12]}-{split}.json"
    run.save_artifact(path, name=name, kind=ArtifactKind.REPORT)
    run.send(Metrics(step=1, epoch=0, values=dict(values)))
    run.tell_end(values)


class Measure:
    """An evaluator, and how a network's outputs and a data set's labels come to it."""

    def __init__(self, network: Network, dataset: Dataset) -> None:
        self._network = network
        self._names = network.description.class_names
        self._model = as_json(network.description)
        self._task = network.description.task_type
        self._label_of = self._match_classes(dataset)
        self.evaluator: Any = self._new_evaluator()

    def add(self, sample: Sample) -> None:
        """One image. Raises TrainingError for one that cannot be decoded."""
        try:
            image = load_image(sample.image)
        except (OSError, Image.DecompressionBombError) as error:
            message = f"{sample.image.name}: {error}. Replace this image, or take it out of the data set."
            raise TrainingError(EndReason.BAD_DATA, message) from error
        outputs, placement = run_on(self._network, image)
        if self._task is TaskType.IMAGE_CLASSIFICATION:
            assert sample.class_id is not None  # noqa: S101 - the data kit's promise for this task
            self.evaluator.update(outputs["probabilities"][None], np.array([self._label_of[sample.class_id]]))
        elif self._task is TaskType.SEMANTIC_SEGMENTATION:
            found = portable.label_map(self._model, outputs["scores"], placement)
            self.evaluator.update(found[None], self._drawn(sample)[None])
        else:
            self._add_objects(sample, outputs, placement)

    def _match_classes(self, dataset: Dataset) -> list[int]:
        """For each class of the data set the network's of the same name."""
        unknown = [name for name in dataset.class_names if name not in self._names]
        if unknown:
            message = f"The network does not know {', '.join(unknown[:5])}. Choose a data set with the same classes."
            raise TrainingError(EndReason.BAD_DATA, message)
        return [self._names.index(name) for name in dataset.class_names]

    def _new_evaluator(self) -> Any:
        match self._task:
            case TaskType.IMAGE_CLASSIFICATION:
                return ClassificationEvaluator(self._names)
            case TaskType.SEMANTIC_SEGMENTATION:
                return SegmentationEvaluator(self._names)
            case TaskType.POSE_ESTIMATION:
                return DetectionEvaluator(self._names, max_detections=20)
            case _:
                return DetectionEvaluator(self._names)

    def _drawn(self, sample: Sample) -> Any:
        """(height, width) of labels; small objects lie on top of large ones."""
        background = self._network.description.background
        canvas = Image.new("L", (sample.width, sample.height), IGNORED if background is None else background)
        draw = ImageDraw.Draw(canvas)
        for instance in sorted(sample.instances, key=_box_area, reverse=True):
            for polygon in instance.polygons:
                draw.polygon(polygon, fill=IGNORED if instance.is_crowd else self._label_of[instance.class_id])
        return np.array(canvas)

    def _add_objects(self, sample: Sample, outputs: dict[str, Any], placement: portable.Placement) -> None:
        found = portable.detect(self._model, outputs["boxes"], outputs["scores"], LOWEST_SCORE, most=300)
        scores, classes, rows = found
        crowd = np.array([instance.is_crowd for instance in sample.instances], dtype=bool)
        overlap, areas, ignored = self._overlaps(sample, outputs, rows, placement, crowd)
        self.evaluator.update(
            overlap,
            scores=scores,
            classes=classes,
            areas=areas,
            true_classes=np.array([self._label_of[instance.class_id] for instance in sample.instances], dtype=np.int64),
            true_areas=labelled_areas(sample.instances),
            crowd=crowd,
            ignored=ignored,
        )

    def _overlaps(
        self, sample: Sample, outputs: dict[str, Any], rows: Any, placement: portable.Placement, crowd: Any
    ) -> tuple[Any, Any, Any]:
        """(found, labelled) overlaps, the areas of what was found, and which labels need not be found."""
        shapes = outputs["boxes"][rows]
        if self._task is TaskType.ORIENTED_OBJECT_DETECTION:
            return _rotated(sample.instances, shapes, placement)
        boxes = placement.to_image(shapes.reshape(-1, 2, 2).astype(np.float64)).reshape(-1, 4)
        limits = np.array([sample.width, sample.height] * 2)
        boxes = np.clip(boxes, 0, limits)
        if self._task is TaskType.INSTANCE_SEGMENTATION:
            overlap = self._mask_overlaps(sample, outputs, rows, placement, boxes, crowd)
            return overlap, box_areas(boxes), crowd
        if self._task is TaskType.POSE_ESTIMATION:
            return _keypoints(sample.instances, outputs["keypoints"][rows], boxes, placement)
        return box_overlaps(boxes, labelled_boxes(sample.instances), crowd), box_areas(boxes), crowd

    def _mask_overlaps(
        self, sample: Sample, outputs: dict[str, Any], rows: Any, placement: portable.Placement, boxes: Any, crowd: Any
    ) -> Any:
        shrink = min(1.0, MASK_SIDE / max(sample.width, sample.height))
        size = (max(1, round(sample.width * shrink)), max(1, round(sample.height * shrink)))
        scale = (placement.scale[0] * sample.width / size[0], placement.scale[1] * sample.height / size[1])
        small = portable.Placement(size, scale, tuple(placement.offset))
        found = [
            portable.object_mask(self._model, outputs["coefficients"][row], outputs["prototypes"], small, box)
            for row, box in zip(rows, (boxes * shrink).tolist(), strict=True)
        ]
        labelled = [_mask(instance, size, shrink) for instance in sample.instances]
        empty = np.zeros((0, size[1], size[0]), dtype=bool)
        first, second = (np.stack(masks) if masks else empty for masks in (found, labelled))
        return mask_overlaps(first, second, crowd)


def _box_area(instance: Instance) -> float:
    x1, y1, x2, y2 = instance.box
    return (x2 - x1) * (y2 - y1)


def _mask(instance: Instance, size: tuple[int, int], shrink: float) -> Any:
    canvas = Image.new("1", size)
    for polygon in instance.polygons:
        ImageDraw.Draw(canvas).polygon([value * shrink for value in polygon], fill=1)
    return np.array(canvas)


def _keypoints(instances: Any, points: Any, boxes: Any, placement: portable.Placement) -> tuple[Any, Any, Any]:
    count = points.shape[1] if points.size else max((len(one.keypoints) for one in instances), default=1)
    found = placement.to_image(points[..., :2].astype(np.float64))
    labelled = np.array([one.keypoints for one in instances], dtype=np.float64).reshape(len(instances), -1, 3)
    ignored = np.array([one.is_crowd or not any(seen for _, _, seen in one.keypoints) for one in instances], dtype=bool)
    true_boxes, true_areas = labelled_boxes(instances), labelled_areas(instances)
    if not len(found) or not len(instances):
        return np.zeros((len(found), len(instances))), box_areas(boxes), ignored
    return keypoint_overlaps(found, labelled, true_boxes, true_areas, keypoint_sigmas(count)), box_areas(boxes), ignored


def _rotated(instances: Any, shapes: Any, placement: portable.Placement) -> tuple[Any, Any, Any]:
    """Letterboxed images are scaled alike in both directions, so that angles stay."""
    found = shapes.astype(np.float64)
    found[:, :2] = placement.to_image(found[:, :2])
    found[:, 2:4] /= placement.scale
    labelled = np.array([_turned_box(one.corners) for one in instances], dtype=np.float64).reshape(-1, 5)
    overlap = np.array([portable.rotated_overlap(box, labelled) for box in found]).reshape(len(found), len(labelled))
    return overlap, found[:, 2] * found[:, 3], np.array([one.is_crowd for one in instances], dtype=bool)


def _turned_box(corners: Any) -> list[float]:
    """Centre, width, height and angle of four corners in order."""
    points = np.array(corners, dtype=np.float64).reshape(4, 2)
    along, across = points[1] - points[0], points[2] - points[1]
    return [*points.mean(0), np.hypot(*along), np.hypot(*across), np.arctan2(along[1], along[0])]
