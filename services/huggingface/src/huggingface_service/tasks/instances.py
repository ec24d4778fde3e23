"""Every object with its own mask, found by models that classify masks: Mask2Former, MaskFormer, EoMT."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torchvision import tv_tensors
from torchvision.ops import masks_to_boxes
from transformers import PreTrainedModel

from data_kit import Dataset, Sample
from huggingface_service.config import DetectionHyperparameters
from huggingface_service.model_inputs import model_inputs
from huggingface_service.tasks.detection import best_detections, finite_weights
from huggingface_service.transforms import Example, read_image
from trainer_kit.evaluation import Detections, MaskGrid, ObjectEvaluator
from vision_contracts import TaskType


class InstanceSegmentation:
    """The model's own loss over matched masks."""

    def __init__(self, dataset: Dataset, settings: DetectionHyperparameters) -> None:  # noqa: ARG002 - as every task
        self.label_names = dataset.class_names

    def read(self, sample: Sample) -> Example:
        objects = [instance for instance in sample.instances if not instance.is_crowd]
        grid = MaskGrid(sample.width, sample.height)
        masks = np.array([grid.fill(instance) for instance in objects]).reshape(-1, sample.height, sample.width)
        return {
            "image": read_image(sample),
            "masks": tv_tensors.Mask(torch.from_numpy(masks.astype(np.uint8))),
            "classes": torch.tensor([instance.class_id for instance in objects], dtype=torch.int64),
        }

    def collate(self, examples: list[Example]) -> dict[str, Any]:
        return {
            "pixels": torch.stack([example["image"] for example in examples]),
            "labels": [visible_masks(example) for example in examples],
        }

    def loss(self, model: PreTrainedModel, batch: dict[str, Any]) -> tuple[Tensor, Any]:
        labels = batch["labels"]
        with finite_weights(model):
            outputs = model(
                **model_inputs(model, batch["pixels"]),
                mask_labels=[label["masks"] for label in labels],
                class_labels=[label["class_labels"] for label in labels],
            )
        return outputs.loss.sum(), outputs

    def new_measure(self, samples: Sequence[Sample]) -> "Delineated":
        return Delineated(self.label_names, samples)


def visible_masks(example: Example) -> dict[str, Tensor]:
    """Return the objects that the transforms have left: at least a pixel of each."""
    masks = example["masks"].as_subclass(Tensor)
    visible = masks.flatten(1).bool().any(1)
    return {"class_labels": example["classes"][visible], "masks": masks[visible].float()}


def mask_confidence(logits: Tensor) -> Tensor:
    """Return the mean probability (…) of the pixels inside each mask (…, h, w); 0 where there are none."""
    inside = (logits > 0).float()
    return (logits.sigmoid() * inside).sum((-2, -1)) / inside.sum((-2, -1)).clamp(min=1)


class Delineated:
    """Masks in cells of the model's own, coarser grid."""

    def __init__(self, label_names: Sequence[str], samples: Sequence[Sample]) -> None:
        self.evaluator = ObjectEvaluator(label_names, TaskType.INSTANCE_SEGMENTATION)
        self.samples = iter(samples)

    def update(self, outputs: Any, batch: dict[str, Any]) -> None:
        side = batch["pixels"].shape[-1]
        logits = outputs.class_queries_logits.float()
        scores, classes, queries = best_detections(logits, len(self.evaluator.class_names))
        for index in range(len(batch["labels"])):
            masks = outputs.masks_queries_logits[index, queries[index]].float()
            masks = functional.interpolate(masks[None], size=(side, side), mode="bilinear", align_corners=False)[0]
            self._add(scores[index].cpu(), classes[index].cpu(), masks.cpu())

    def _add(self, scores: Tensor, classes: Tensor, logits: Tensor) -> None:
        """One image. A mask counts as much as its pixels are sure of it; one without any pixel is none."""
        sample, (_, height, width) = next(self.samples), logits.shape
        masks = logits > 0
        seen = masks.flatten(1).any(1)
        masks = masks[seen]
        scale = (width / sample.width, height / sample.height)
        found = Detections(
            scores=(scores * mask_confidence(logits))[seen].numpy(),
            classes=classes[seen].numpy(),
            boxes=(masks_to_boxes(masks) / torch.tensor([*scale, *scale])).numpy(),
            masks=masks.numpy(),
            grid=MaskGrid(width, height, scale),
        )
        self.evaluator.add(sample, found)
