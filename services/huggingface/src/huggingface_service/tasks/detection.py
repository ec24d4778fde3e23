"""Boxes with a class, found by models of the DETR family."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.ops import box_convert
from transformers import PreTrainedModel

from data_kit import Dataset, Sample
from huggingface_service.config import DetectionHyperparameters
from huggingface_service.model_inputs import model_inputs
from huggingface_service.transforms import Example, read_image
from trainer_kit.evaluation import Detections, ObjectEvaluator
from trainer_kit.trainer import TrainingError
from vision_contracts import EndReason, TaskType

MAX_DETECTIONS = 100
"""Per image, as COCO measures."""


class ObjectDetection:
    """The model's own loss over matched boxes."""

    def __init__(self, dataset: Dataset, settings: DetectionHyperparameters) -> None:  # noqa: ARG002 - as every task
        self.label_names = dataset.class_names

    def read(self, sample: Sample) -> Example:
        objects = [instance for instance in sample.instances if not instance.is_crowd]
        boxes = torch.tensor([instance.box for instance in objects], dtype=torch.float32).reshape(-1, 4)
        return {
            "image": read_image(sample),
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(sample.height, sample.width)),
            "classes": torch.tensor([instance.class_id for instance in objects], dtype=torch.int64),
        }

    def collate(self, examples: list[Example]) -> dict[str, Any]:
        return {
            "pixels": torch.stack([example["image"] for example in examples]),
            "labels": [visible_objects(example) for example in examples],
        }

    def loss(self, model: PreTrainedModel, batch: dict[str, Any]) -> tuple[Tensor, Any]:
        with finite_weights(model):
            outputs = model(**model_inputs(model, batch["pixels"]), labels=batch["labels"])
        return outputs.loss, outputs

    def new_measure(self, samples: Sequence[Sample]) -> "Detected":
        return Detected(self.label_names, samples)


@contextmanager
def finite_weights(model: PreTrainedModel) -> Iterator[None]:
    """Matching objects raises on what is not a number, before there is a loss that could show it."""
    try:
        yield
    except ValueError as error:
        if all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
            raise
        reason = EndReason.NAN_LOSS
        raise TrainingError(reason, f"The model's weights are no longer finite. {reason.advice}") from error


def visible_objects(example: Example) -> dict[str, Tensor]:
    """Return the objects that the transforms have left: at least a pixel each way. Boxes as centre and size, as shares
    of the image.
    """
    height, width = example["boxes"].canvas_size
    limits = torch.tensor([width, height, width, height], dtype=torch.float32)
    boxes = example["boxes"].as_subclass(Tensor).clamp(min=torch.zeros(4), max=limits)
    visible = ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(1)
    relative = box_convert(boxes[visible], "xyxy", "cxcywh") / limits
    return {"class_labels": example["classes"][visible], "boxes": relative}


def best_detections(logits: Tensor, num_labels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the best (score, class, query) of each image. A model with one output more than classes gives "no object"
    in the last and shares out a probability; the others judge each class by itself.
    """
    softmax = logits.shape[-1] == num_labels + 1
    scores = logits.softmax(-1)[..., :-1] if softmax else logits.sigmoid()
    best, position = scores.flatten(1).topk(min(MAX_DETECTIONS, scores[0].numel()), dim=1)
    return best, position % scores.shape[-1], position // scores.shape[-1]


class Detected:
    """Boxes in pixels of the image, where those of the model are shares of it."""

    def __init__(self, label_names: Sequence[str], samples: Sequence[Sample]) -> None:
        self.evaluator = ObjectEvaluator(label_names, TaskType.OBJECT_DETECTION)
        self.samples = iter(samples)

    def update(self, outputs: Any, batch: dict[str, Any]) -> None:
        scores, classes, queries = best_detections(outputs.logits.float(), len(self.evaluator.class_names))
        for index in range(len(batch["labels"])):
            sample = next(self.samples)
            relative = box_convert(outputs.pred_boxes[index, queries[index]].float(), "cxcywh", "xyxy").cpu()
            sides = torch.tensor([sample.width, sample.height] * 2)
            found = Detections(
                scores=scores[index].cpu().numpy(),
                classes=classes[index].cpu().numpy(),
                boxes=(relative * sides).numpy(),
            )
            self.evaluator.add(sample, found)
