"""Mean loss of a split, and its predictions for the kit's evaluator."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch.utils.data import DataLoader
from transformers import PreTrainedModel

from huggingface_service.data import images_of
from huggingface_service.parallel import count_locally
from huggingface_service.trainer import TaskTrainer
from trainer_kit.evaluation import Evaluator


@torch.no_grad()
def validate(
    trainer: TaskTrainer, batches: DataLoader[Any], after_batch: Callable[[], None]
) -> tuple[float, Evaluator]:
    """Return the mean loss over `batches`, and the evaluator that has seen their predictions."""
    model = cast("PreTrainedModel", trainer.model).eval()
    measure = trainer.task.new_measure(images_of(batches).samples)
    total, images = 0.0, 0
    for batch in batches:
        inputs = trainer._prepare_inputs(batch)
        with count_locally():
            loss, outputs = trainer.task.loss(model, inputs)
        measure.update(outputs, inputs)
        total += float(loss) * len(inputs["pixels"])
        images += len(inputs["pixels"])
        after_batch()
    return total / images, measure.evaluator
