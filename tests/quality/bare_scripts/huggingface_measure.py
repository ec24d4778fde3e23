"""Measures for models of the bare script, by the platform's evaluator: the library has none of its own."""

import numpy as np
import torch
from torch.nn import functional
from torchvision.ops import box_convert

from trainer_kit.evaluation import (
    ClassificationEvaluator,
    DetectionEvaluator,
    SegmentationEvaluator,
    box_overlaps,
    mask_overlaps,
)


@torch.inference_mode()
def measure(model, run: dict, batches, classes: int) -> float:
    model.eval()
    names = [str(number) for number in range(classes)]
    if run["task_type"] == "image_classification":
        evaluator = ClassificationEvaluator(names)
    elif run["task_type"] == "semantic_segmentation":
        evaluator = SegmentationEvaluator(["background", *names])
    else:
        evaluator = DetectionEvaluator(names)
    for batch in batches:
        outputs = model(pixel_values=batch["pixel_values"])
        if run["task_type"] == "image_classification":
            evaluator.update(outputs.logits.softmax(1).numpy(), batch["labels"].numpy())
        elif run["task_type"] == "semantic_segmentation":
            logits = functional.interpolate(outputs.logits, size=batch["labels"].shape[-2:], mode="bilinear")
            evaluator.update(logits.argmax(1).numpy(), batch["labels"].numpy())
        else:
            for found in (boxes if run["task_type"] == "object_detection" else masks)(outputs, batch, classes):
                add_objects(evaluator, *found)
    return evaluator.values()[run["metric"]]


def add_objects(evaluator: DetectionEvaluator, scores, kinds, overlaps, true_kinds) -> None:
    """Add the objects of an image to an evaluator, all with a middle size."""
    evaluator.update(
        overlaps, scores=scores.numpy(), classes=kinds.numpy(), areas=np.full(len(scores), 1e4),
        true_classes=true_kinds.numpy(), true_areas=np.full(len(true_kinds), 1e4),
    )  # fmt: skip


def best_class(logits: torch.Tensor, classes: int):
    """Return score and class of each query. An output beyond the classes stands for no object."""
    return (logits.softmax(-1)[:, :-1] if logits.shape[-1] > classes else logits.sigmoid()).max(1)


def boxes(outputs, batch: dict, classes: int):
    for logits, found, label in zip(outputs.logits, outputs.pred_boxes, batch["labels"], strict=True):
        scores, kinds = best_class(logits, classes)
        found, true = (box_convert(each, "cxcywh", "xyxy").numpy() for each in (found, label["boxes"]))
        yield scores, kinds, box_overlaps(found, true), label["class_labels"]


def masks(outputs, batch: dict, classes: int):
    side = batch["pixel_values"].shape[-2:]
    shapes = functional.interpolate(outputs.masks_queries_logits, size=side, mode="bilinear")
    for logits, shape, true, true_kinds in zip(
        outputs.class_queries_logits, shapes, batch["mask_labels"], batch["class_labels"], strict=True
    ):
        scores, kinds = best_class(logits, classes)
        inside = shape > 0
        seen = inside.flatten(1).any(1)
        sure = (shape.sigmoid() * inside).sum((1, 2)) / inside.sum((1, 2)).clamp(min=1)
        overlaps = mask_overlaps(inside[seen].numpy(), true.bool().numpy())
        yield (scores * sure)[seen], kinds[seen], overlaps, true_kinds
