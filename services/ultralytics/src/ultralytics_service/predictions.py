"""Predictions of the library's validators, given to the kit's evaluator in pixels of the data set's own images.

The library compares inside of the square that the network sees, with the labels as it has read them. Here they are the
data set's, as for every other framework.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data_kit import Dataset, Sample, Split
from trainer_kit.evaluation import (
    BACKGROUND,
    ClassificationEvaluator,
    Detections,
    Evaluator,
    MaskGrid,
    ObjectEvaluator,
    SegmentationEvaluator,
    label_names,
)
from ultralytics_service.kinds import Kind
from ultralytics_service.library import BaseValidator, ops, torch

_MOST_MASKS = 100
"""Per image, the best first: as many as COCO counts of one class."""


class Predictions:
    """Predictions of one validation. Each form that the library has is a subclass."""

    evaluator: Evaluator

    def __init__(self, kind: Kind, dataset: Dataset, split: Split, validator: BaseValidator) -> None:
        """Take in from now on every batch that `validator` has predicted, before the library does."""
        self.kind = kind
        self.dataset = dataset
        self.samples = dataset[split]
        self.validator = validator
        self.evaluator = self.new_evaluator()
        library = type(validator).update_metrics

        def update_metrics(predictions: Any, batch: dict[str, Any]) -> None:
            self.take(predictions, batch)
            library(validator, predictions, batch)

        validator.update_metrics = update_metrics

    def new_evaluator(self) -> Evaluator:
        """Return an empty evaluator."""
        raise NotImplementedError

    def take(self, predictions: Any, batch: dict[str, Any]) -> None:
        """Take in one batch, after the library's own selection of what was found."""
        raise NotImplementedError

    def sample(self, file: str) -> Sample:
        """The writers of the data kit put an image's number before its name."""
        return self.samples[int(Path(file).name.partition("-")[0])]


class ClassPredictions(Predictions):
    """A probability of each class for each image, which come in the order of the library's data set."""

    def new_evaluator(self) -> ClassificationEvaluator:
        self.done = 0
        return ClassificationEvaluator(self.dataset.class_names)

    def take(self, predictions: torch.Tensor, batch: dict[str, Any]) -> None:
        files = [
            sample[0] for sample in self.validator.dataloader.dataset.samples[self.done : self.done + len(batch["cls"])]
        ]
        self.done += len(files)
        numbers = {name: number for number, name in self.validator.names.items()}
        order = [numbers[name] for name in self.dataset.class_names]
        samples = [self.sample(file) for file in files]
        self.evaluator.add(samples, predictions.float().cpu().numpy()[:, order])


class ObjectPredictions(Predictions):
    """Objects that were found in each image."""

    def new_evaluator(self) -> ObjectEvaluator:
        return ObjectEvaluator(self.dataset.class_names, self.kind.task_type)

    def take(self, predictions: list[dict[str, torch.Tensor]], batch: dict[str, Any]) -> None:
        for index, prediction in enumerate(predictions):
            frame = Frame(self.sample(batch["im_file"][index]), batch, index)
            self.evaluator.add(frame.sample, _found(self.kind, prediction, frame))


class PixelPredictions(Predictions):
    """A label for each pixel of the square. The library's background is the last class; of two labels, the first."""

    def new_evaluator(self) -> SegmentationEvaluator:
        return SegmentationEvaluator(label_names(self.dataset.class_names))

    def take(self, predictions: torch.Tensor, batch: dict[str, Any]) -> None:
        for index, labels in enumerate(predictions):
            frame = Frame(self.sample(batch["im_file"][index]), batch, index)
            shown = frame.cut_out(labels)
            if (background := self.dataset.num_classes) > 1:
                shown = np.where(shown == background, BACKGROUND, shown + 1)
            self.evaluator.add(frame.sample, shown)


PREDICTIONS: Mapping[Kind, type[Predictions]] = {
    Kind.CLASSIFY: ClassPredictions,
    Kind.SEMANTIC: PixelPredictions,
    **dict.fromkeys((Kind.DETECT, Kind.RTDETR, Kind.SEGMENT, Kind.POSE, Kind.OBB), ObjectPredictions),
}


class Frame:
    """The place of an image in the square that the network sees: scaled by `gain`, then moved by `pad`, both (x, y)."""

    def __init__(self, sample: Sample, batch: Mapping[str, Any], index: int) -> None:
        (gain_y, gain_x), pad = batch["ratio_pad"][index]
        height, width = batch["ori_shape"][index][:2]  # a tiny image has those of its enlarged copy
        self.sample = sample
        self.square = batch["img"].shape[2:]
        self.gain = (gain_x * width / sample.width, gain_y * height / sample.height)
        self.pad = (float(pad[0]), float(pad[1]))

    def to_image(self, points: torch.Tensor) -> np.ndarray:
        """(…, 2) points of the square in pixels of the image."""
        return (points.float().cpu().numpy() - self.pad) / self.gain

    def boxes_to_image(self, boxes: torch.Tensor) -> np.ndarray:
        """(n, 4): `x1, y1, x2, y2`, cut at the image's edges."""
        sides = (self.sample.width, self.sample.height)
        return np.clip(self.to_image(boxes.reshape(-1, 2, 2)), 0, sides).reshape(-1, 4)

    def grid(self, masks: torch.Tensor) -> MaskGrid:
        """The cells of (n, height, width) masks that cover the square."""
        height, width = masks.shape[1:]
        cells = (width / self.square[1], height / self.square[0])
        scale, offset = (tuple(np.multiply(pair, cells).tolist()) for pair in (self.gain, self.pad))
        return MaskGrid(width, height, scale, offset)

    def cut_out(self, labels: torch.Tensor) -> np.ndarray:
        """The image's part of (height, width) labels of the square, in pixels of the image."""
        x, y = (
            np.clip(((np.arange(side) + 0.5) * gain + pad).astype(int), 0, limit - 1)
            for side, gain, pad, limit in zip(
                (self.sample.width, self.sample.height), self.gain, self.pad, reversed(labels.shape), strict=True
            )
        )
        return labels.cpu().numpy()[np.ix_(y, x)]


def _found(kind: Kind, prediction: Mapping[str, torch.Tensor], frame: Frame) -> Detections:
    if kind is Kind.SEGMENT:
        prediction = {name: value[:_MOST_MASKS] for name, value in prediction.items()}
    boxes, extra = prediction["bboxes"], {}
    if kind is Kind.OBB:
        extra = {"corners": frame.to_image(ops.xywhr2xyxyxyxy(boxes))}
        boxes = ops.xywh2xyxy(boxes[:, :4])
    elif kind is Kind.SEGMENT:
        masks = prediction["masks"]
        extra = {"masks": masks.bool().cpu().numpy(), "grid": frame.grid(masks)}
    elif kind is Kind.POSE:
        extra = {"keypoints": frame.to_image(prediction["keypoints"][..., :2])}
    return Detections(
        scores=prediction["conf"].float().cpu().numpy(),
        classes=prediction["cls"].long().cpu().numpy(),
        boxes=frame.boxes_to_image(boxes),
        **extra,
    )
