"""Evaluations of a checkpoint on a split of any data set with its classes, by the same evaluators as in a training."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from data_kit import Dataset, Sample, Split, load_image
from trainer_kit.evaluation import (
    BACKGROUND,
    ClassificationEvaluator,
    Detections,
    Evaluator,
    MaskGrid,
    ObjectEvaluator,
    SegmentationEvaluator,
    as_one_class,
    label_names,
)
from trainer_kit.inference import portable
from trainer_kit.inference.network import LoadNetwork, Network, load_and_start
from trainer_kit.inference.predicting import as_json, run_network
from trainer_kit.trainer import OperationRun, TrainingError
from vision_contracts import (
    ArtifactKind,
    EndReason,
    EvaluateOperation,
    EvaluationReport,
    Metrics,
    TaskType,
)

LOWEST_SCORE = 0.001
MASK_SIDE = 640
"""Longest side at which masks are compared: a hundred masks of a large photograph would fill the memory."""


def evaluate(load_network: LoadNetwork) -> Callable[[OperationRun[Any]], None]:
    """Return a framework's entry point for jobs of the kind `evaluate`."""

    def operation(run: OperationRun[Any]) -> None:
        network = load_and_start(run, load_network)
        assert isinstance(run.spec.work, EvaluateOperation)  # noqa: S101 - the spec's promise
        assert run.dataset is not None  # noqa: S101 - an evaluation is given one
        split = Split(run.spec.work.split)
        evaluation = NetworkEvaluation(network, run.dataset)
        samples = evaluation.dataset.splits.get(split, ())
        if not any(sample.class_ids for sample in samples):
            raise TrainingError(EndReason.BAD_DATA, f"The data set has no labelled {split}. Choose another split.")
        for number, sample in enumerate(samples):
            evaluation.add(sample)
            run.report(number + 1, len(samples))
        _report(run, split, evaluation.evaluator)

    return operation


def _report(run: OperationRun[Any], split: Split, evaluator: Evaluator) -> None:
    values = {name.replace("val/", f"{split}/", 1): value for name, value in evaluator.values().items()}
    report = EvaluationReport(
        framework=run.spec.framework,
        model_name=run.spec.model_name,
        task_type=run.spec.task_type,
        primary_metric=evaluator.primary_metric,
        epoch=0,
        splits={split.value: evaluator.evaluate()},
    )
    path = run.folder / "evaluation.json"
    path.write_text(report.model_dump_json(indent=1))
    name = f"evaluations/{(run.spec.dataset.digest or 'folder')[:12]}-{split}.json"
    run.save_artifact(path, name=name, kind=ArtifactKind.REPORT)
    run.send(Metrics(step=1, epoch=0, values=dict(values)))
    run.report_finished(values)


class NetworkEvaluation:
    """Runs a network on samples of a data set, and adds its outputs to an evaluator as predictions of the data set's
    classes.

    The evaluator gets the data set's own samples, as in a training, and makes the ground truth of them. Raises
    TrainingError with `bad_data` for a data set with classes that the network does not know.
    """

    def __init__(self, network: Network, dataset: Dataset) -> None:
        self.dataset = as_one_class(dataset) if network.description.single_class else dataset
        self._network = network
        self._model = as_json(network.description)
        self._task = network.description.task_type
        self._order = self._match_classes()
        self._class_of = np.argsort(self._order)
        names = [network.description.class_names[output] for output in self._order]
        self.evaluator: Any = self._new_evaluator(names)

    def add(self, sample: Sample) -> None:
        """Add an image of `dataset`. Raises TrainingError with `bad_data` for one that cannot be decoded, and for other
        keypoints than the network's.
        """
        try:
            image = load_image(sample.image)
        except (OSError, Image.DecompressionBombError) as error:
            message = f"{sample.image.name}: {error}. Replace this image, or take it out of the data set."
            raise TrainingError(EndReason.BAD_DATA, message) from error
        outputs, placement = run_network(self._network, image)
        if self._task is TaskType.IMAGE_CLASSIFICATION:
            self.evaluator.add([sample], outputs["probabilities"][None, self._order])
        elif self._task is TaskType.SEMANTIC_SEGMENTATION:
            self.evaluator.add(sample, self._labels(outputs, placement))
        else:
            if self._task is TaskType.POSE_ESTIMATION:
                _check_keypoints(sample, outputs["keypoints"].shape[1])
            self.evaluator.add(sample, self._find(sample, outputs, placement))

    def _match_classes(self) -> list[int]:
        """Return the outputs of the network, without its background, in the order of the evaluator's classes: those of
        the data set, then the other classes of the network.
        """
        description = self._network.description
        outputs = [output for output in range(len(description.class_names)) if output != description.background]
        known = {description.class_names[output]: output for output in outputs}
        unknown = [name for name in self.dataset.class_names if name not in known]
        if unknown:
            message = f"The network does not know {', '.join(unknown[:5])}. Choose a data set with the same classes."
            raise TrainingError(EndReason.BAD_DATA, message)
        labelled = [known[name] for name in self.dataset.class_names]
        return labelled + [output for output in outputs if output not in labelled]

    def _new_evaluator(self, names: list[str]) -> Any:
        match self._task:
            case TaskType.IMAGE_CLASSIFICATION:
                return ClassificationEvaluator(names)
            case TaskType.SEMANTIC_SEGMENTATION:
                return SegmentationEvaluator(label_names(names))
            case _:
                return ObjectEvaluator(names, self._task)

    def _labels(self, outputs: dict[str, Any], placement: portable.Placement) -> Any:
        """(height, width): label ids, as in a label map of the data set."""
        label_of = np.full(len(outputs["scores"]), BACKGROUND)
        label_of[self._order] = np.arange(1, len(self._order) + 1)
        return label_of[portable.label_map(self._model, outputs["scores"], placement)]

    def _find(self, sample: Sample, outputs: dict[str, Any], placement: portable.Placement) -> Detections:
        """Decode the network's outputs into detections, in pixels of the image."""
        scores, classes, rows = portable.detect(
            self._model, outputs["boxes"], outputs["scores"], LOWEST_SCORE, most=300
        )
        classes = self._class_of[classes]
        shapes = outputs["boxes"][rows].astype(np.float64)
        if self._task is TaskType.ORIENTED_OBJECT_DETECTION:
            turned = np.array([portable.corners_of(shape) for shape in shapes]).reshape(-1, 4, 2)
            corners = placement.to_image(turned)
            boxes = np.concatenate([corners.min(1), corners.max(1)], axis=1)
            return Detections(scores, classes, boxes, corners=corners)
        boxes = placement.to_image(shapes.reshape(-1, 2, 2)).reshape(-1, 4)
        found = Detections(scores, classes, np.clip(boxes, 0, [sample.width, sample.height] * 2))
        if self._task is TaskType.INSTANCE_SEGMENTATION:
            return self._with_masks(found, sample, outputs["coefficients"][rows], outputs["prototypes"], placement)
        if self._task is TaskType.POSE_ESTIMATION:
            points = outputs["keypoints"][rows][..., :2].astype(np.float64)
            return replace(found, keypoints=placement.to_image(points))
        return found

    def _with_masks(
        self, found: Detections, sample: Sample, coefficients: Any, prototypes: Any, placement: portable.Placement
    ) -> Detections:
        """Add masks, in cells of a grid over the whole image."""
        shrink = min(1.0, MASK_SIDE / max(sample.width, sample.height))
        width, height = (max(1, round(side * shrink)) for side in (sample.width, sample.height))
        grid = MaskGrid(width, height, scale=(width / sample.width, height / sample.height))
        small = portable.Placement((width, height), tuple(placement.scale / grid.scale), tuple(placement.offset))
        boxes = (found.boxes * (grid.scale * 2)).tolist()
        masks = [
            portable.object_mask(self._model, of_one, prototypes, small, box)
            for of_one, box in zip(coefficients, boxes, strict=True)
        ]
        return replace(found, masks=np.array(masks, dtype=bool).reshape(-1, height, width), grid=grid)


def _check_keypoints(sample: Sample, count: int) -> None:
    for instance in sample.instances:
        if instance.keypoints and len(instance.keypoints) != count:
            message = f"The labels have {len(instance.keypoints)} keypoints, and the network knows {count}."
            raise TrainingError(EndReason.BAD_DATA, f"{message} Choose a data set with the same keypoints.")
