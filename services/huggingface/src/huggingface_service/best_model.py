"""The best checkpoint, measured at the end of a training."""

from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from data_kit import Split
from huggingface_service.checkpoint import load_checkpoint
from huggingface_service.data import batches_like
from huggingface_service.model_inputs import model_inputs
from huggingface_service.trainer import TaskTrainer
from huggingface_service.validation import validate
from trainer_kit.evaluation import Evaluator
from trainer_kit.trainer import NetworkFacts, Stopped, TrainingRun


class BestModel:
    """Satisfies `trainer_kit.trainer.BestModel`."""

    def __init__(
        self, run: TrainingRun[Any], trainer: TaskTrainer, validation: DataLoader[Any], image_size: int, path: Path
    ) -> None:
        self.run = run
        self.trainer = trainer
        self.validation = validation
        self.image_size = image_size
        trainer.model.load_state_dict(load_checkpoint(path).model)
        trainer.model.eval()

    def evaluate(self, split: Split) -> Evaluator:
        batches = batches_like(self.validation, self.run.dataset[split])
        return validate(self.trainer, batches, after_batch=self._stop_if_asked)[1]

    def describe(self) -> NetworkFacts:
        arguments = self.trainer.args
        return NetworkFacts(
            device=str(arguments.device),
            precision="bfloat16" if arguments.bf16 else "float32",
            image_size=self.image_size,
            parameters=self.trainer.model.num_parameters(),
        )

    @torch.no_grad()
    def compute(self, batch_size: int) -> None:
        model = self.trainer.model
        pixels = torch.zeros(batch_size, 3, self.image_size, self.image_size, device=model.device)
        outputs = model(**model_inputs(model, pixels))
        outputs[0].sum().item()

    def _stop_if_asked(self) -> None:
        if self.run.stop_requested():
            raise Stopped
