"""One label for each pixel, drawn from the outlines of the labelled objects."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchvision import tv_tensors
from transformers import PreTrainedModel

from data_kit import Dataset, Sample
from huggingface_service.config import LabelingHyperparameters
from huggingface_service.model_inputs import model_inputs
from huggingface_service.transforms import Example, read_image
from trainer_kit.evaluation import IGNORED, SegmentationEvaluator, label_map, label_names


class SemanticSegmentation:
    """Cross-entropy over pixels.

    The first label is the background: pixels that belong to no object. It counts as a class, as in Pascal VOC.
    """

    def __init__(self, dataset: Dataset, settings: LabelingHyperparameters) -> None:
        self.label_names = label_names(dataset.class_names)
        self.label_smoothing = settings.label_smoothing

    def read(self, sample: Sample) -> Example:
        image = read_image(sample)
        return {"image": image, "mask": tv_tensors.Mask(torch.from_numpy(label_map(sample)))}

    def collate(self, examples: list[Example]) -> dict[str, Any]:
        return {
            "pixels": torch.stack([example["image"] for example in examples]),
            "labels": torch.stack([example["mask"] for example in examples]).long(),
        }

    def loss(self, model: PreTrainedModel, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        labels = batch["labels"]
        logits = model(**model_inputs(model, batch["pixels"])).logits
        logits = functional.interpolate(logits.float(), size=labels.shape[-2:], mode="bilinear", align_corners=False)
        smoothing = self.label_smoothing if model.training else 0.0
        total = functional.cross_entropy(
            logits,
            labels,
            ignore_index=IGNORED,
            label_smoothing=smoothing,
            reduction="sum",
        )
        return total / (labels != IGNORED).sum().clamp(min=1), logits

    def new_measure(self, samples: Sequence[Sample]) -> "Segmented":
        return Segmented(self.label_names, samples)


class Segmented:
    """Labels in pixels of the image, where those of the model are of a square that it was squeezed into."""

    def __init__(self, label_names: Sequence[str], samples: Sequence[Sample]) -> None:
        self.evaluator = SegmentationEvaluator(label_names)
        self.samples = iter(samples)

    def update(self, outputs: Tensor, batch: dict[str, Any]) -> None:  # noqa: ARG002 - as every measure
        for labels in outputs.argmax(1).to(torch.uint8):
            sample = next(self.samples)
            enlarged = functional.interpolate(labels[None, None], size=(sample.height, sample.width), mode="nearest")
            self.evaluator.add(sample, enlarged[0, 0].cpu().numpy())
