"""What the network says of images that it has not learnt from."""

from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

from data_kit import Split
from timm_service.build import Run, Setup
from timm_service.checkpoint import TrainingState, read_best_weights
from timm_service.data import Batches, Images, make_loader
from timm_service.model import count_parameters
from trainer_kit.evaluation import ClassificationEvaluator
from trainer_kit.trainer import NetworkFacts, Stopped


@torch.inference_mode()
def validate(run: Run, model: nn.Module, setup: Setup, loader: "DataLoader") -> tuple[float, ClassificationEvaluator]:
    """Mean loss over a split, each image counted once, and its predictions. Raises Stopped if that is asked for."""
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


class BestModel:
    """The best checkpoint. Satisfies `trainer_kit.trainer.BestModel`."""

    def __init__(self, run: Run, state: TrainingState, setup: Setup, checkpoint: Path) -> None:
        self.run, self.setup = run, setup
        self.model = read_best_weights(checkpoint, state)

    def evaluate(self, split: Split) -> ClassificationEvaluator:
        images = Images(self.run.dataset, split, self.setup.val_loader.dataset.transform)
        batches = Batches(len(images), self.run.spec.params.batch_size, seed=0, shuffle=False)
        loader = make_loader(images, batches, device=self.setup.device, workers=self.setup.val_loader.num_workers)
        return validate(self.run, self.model, self.setup, loader)[1]

    def describe(self) -> NetworkFacts:
        device = self.setup.device
        return NetworkFacts(
            device=str(device),
            precision=str(self.setup.half or torch.float32).removeprefix("torch."),
            image_size=self.setup.facts["image_size"],
            parameters=count_parameters(self.model),
        )

    @torch.inference_mode()
    def compute(self, batch_size: int) -> None:
        side = self.setup.facts["image_size"]
        with self.setup.autocast():
            self.model(torch.zeros(batch_size, 3, side, side, device=self.setup.device)).sum().item()
