"""Loss of a split, and its predictions for the kit's evaluator."""

from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

from timm_service.build import Run, Setup
from timm_service.data import Images
from trainer_kit.evaluation import ClassificationEvaluator
from trainer_kit.trainer import Stopped


@torch.inference_mode()
def validate(
    run: Run, model: nn.Module, setup: Setup, loader: "DataLoader[Any]"
) -> tuple[float, ClassificationEvaluator]:
    """Return the mean loss of a split, each image counted once, and its predictions. Raises Stopped on request."""
    evaluator = ClassificationEvaluator(run.dataset.class_names)
    loss, count, dataset = 0.0, 0, cast(Images, loader.dataset)
    for images, targets in loader:
        with setup.autocast():
            logits = model(images.to(setup.device, non_blocking=True))
        logits = logits.float().cpu()
        loss += functional.cross_entropy(logits, targets, reduction="sum").item()
        samples = dataset.samples[count : count + len(targets)]
        evaluator.add(samples, logits.softmax(dim=1).numpy())
        count += len(targets)
        if run.stop_requested():
            raise Stopped
    return loss / count, evaluator
