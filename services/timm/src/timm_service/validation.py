"""Loss of a split, and its predictions for the kit's evaluator."""

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

from timm_service.build import Run, Setup
from trainer_kit.evaluation import ClassificationEvaluator
from trainer_kit.trainer import Stopped


@torch.inference_mode()
def validate(run: Run, model: nn.Module, setup: Setup, loader: "DataLoader") -> tuple[float, ClassificationEvaluator]:
    """Return the mean loss of a split, each image counted once, and its predictions. Raises Stopped on request."""
    evaluator = ClassificationEvaluator(run.dataset.class_names)
    loss, count = 0.0, 0
    for images, targets in loader:
        with setup.autocast():
            logits = model(images.to(setup.device, non_blocking=True))
        logits = logits.float().cpu()
        loss += functional.cross_entropy(logits, targets, reduction="sum").item()
        samples = loader.dataset.samples[count : count + len(targets)]
        evaluator.add(samples, logits.softmax(dim=1).numpy())
        count += len(targets)
        if run.stop_requested():
            raise Stopped
    return loss / count, evaluator
