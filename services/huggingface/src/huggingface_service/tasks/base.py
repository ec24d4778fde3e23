"""The interface of a task."""

from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor
from transformers import PreTrainedModel

from data_kit import Dataset, Sample
from huggingface_service.config import Hyperparameters
from huggingface_service.transforms import Example
from trainer_kit.evaluation import Evaluator

Batch = dict[str, Any]


class Measure(Protocol):
    """Turns outputs into predictions, and gives them to the kit's evaluator."""

    evaluator: Evaluator

    def update(self, outputs: Any, batch: Batch) -> None:
        """Takes in one batch, as `Task.loss` left it."""
        ...


class Task(Protocol):
    """One task for one data set."""

    label_names: tuple[str, ...]
    """Labels of the model's outputs."""

    def __init__(self, dataset: Dataset, settings: Hyperparameters) -> None: ...

    def read(self, sample: Sample) -> Example:
        """Image and targets, before any transform."""
        ...

    def collate(self, examples: list[Example]) -> Batch:
        """Several transformed examples as one batch: `pixels` and `labels`."""
        ...

    def loss(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, Any]:
        """The loss to minimise, a mean over the batch, and what a measure takes."""
        ...

    def new_measure(self, samples: Sequence[Sample]) -> Measure:
        """An empty measure of samples that come in their order."""
        ...
