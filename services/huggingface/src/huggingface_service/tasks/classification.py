"""One label for each image."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from data_kit import Dataset, Sample
from huggingface_service.config import LabelingHyperparameters
from huggingface_service.model_inputs import model_inputs
from huggingface_service.transforms import Example, read_image
from trainer_kit.evaluation import ClassificationEvaluator


class ImageClassification:
    """Cross-entropy over classes."""

    def __init__(self, dataset: Dataset, settings: LabelingHyperparameters) -> None:
        self.label_names = dataset.class_names
        self.label_smoothing = settings.label_smoothing

    def read(self, sample: Sample) -> Example:
        return {"image": read_image(sample), "label": sample.class_id}

    def collate(self, examples: list[Example]) -> dict[str, Any]:
        return {
            "pixels": torch.stack([example["image"] for example in examples]),
            "labels": torch.tensor([example["label"] for example in examples]),
        }

    def loss(self, model: PreTrainedModel, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        outputs = model(**model_inputs(model, batch["pixels"]))
        # PP-LCNet returns its logits under the name of hidden states.
        logits = outputs["logits"] if "logits" in outputs else outputs["last_hidden_state"]
        # Smoothing is a means of training: the validation loss is that of the labels as they are.
        smoothing = self.label_smoothing if model.training else 0.0
        return functional.cross_entropy(logits.float(), batch["labels"], label_smoothing=smoothing), logits

    def new_measure(self, samples: Sequence[Sample]) -> "Classified":
        return Classified(self.label_names, samples)


class Classified:
    """Probabilities of every class."""

    def __init__(self, label_names: Sequence[str], samples: Sequence[Sample]) -> None:
        self.evaluator = ClassificationEvaluator(label_names)
        self.samples = iter(samples)

    def update(self, outputs: Tensor, batch: dict[str, Any]) -> None:
        samples = list(islice(self.samples, len(batch["labels"])))
        self.evaluator.add(samples, outputs.float().softmax(1).cpu().numpy())
