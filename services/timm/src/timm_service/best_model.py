"""The best checkpoint, measured at the end of a training."""

from pathlib import Path

import torch

from data_kit import Split
from timm_service.build import Run, Setup
from timm_service.checkpoint import TrainingState, load_best_weights
from timm_service.data import Batches, Images, make_loader
from timm_service.model import parameter_count
from timm_service.validation import validate
from trainer_kit.evaluation import ClassificationEvaluator
from trainer_kit.trainer import NetworkFacts


class BestModel:
    """The best checkpoint. Satisfies `trainer_kit.trainer.BestModel`."""

    def __init__(self, run: Run, state: TrainingState, setup: Setup, checkpoint: Path) -> None:
        self.run, self.setup = run, setup
        self.model = load_best_weights(checkpoint, state)

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
            parameters=parameter_count(self.model),
        )

    @torch.inference_mode()
    def compute(self, batch_size: int) -> None:
        side = self.setup.facts["image_size"]
        with self.setup.autocast():
            self.model(torch.zeros(batch_size, 3, side, side, device=self.setup.device)).sum().item()
