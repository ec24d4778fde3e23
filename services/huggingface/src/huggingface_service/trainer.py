"""The library's Trainer, made to minimise a task's loss over the batches of a job."""

import warnings
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer import TRAINER_STATE_NAME

from huggingface_service.config import Hyperparameters
from huggingface_service.devices import computes_in_bfloat16
from huggingface_service.parallel import count_locally
from huggingface_service.tasks import Task
from trainer_kit.trainer import TrainingRun, batch_norm_errors

RESUME_FOLDER = Path("resume")
"""Folder below the attempt's that holds what the Trainer reads when it resumes."""


def silence_library() -> None:
    """Turn off the library's own output, since the job's log has what users should know."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", module=r"(transformers|accelerate|torch)\..*")


def trainer_arguments(run: TrainingRun[Hyperparameters], device: torch.device) -> TrainingArguments:
    """Return the Trainer's arguments for a job. Validation, checkpoints and logs are ours."""
    params, settings = run.spec.params, run.hyperparameters
    return TrainingArguments(
        output_dir=str(run.folder / "trainer"),
        num_train_epochs=params.epochs,
        per_device_train_batch_size=params.batch_size,
        gradient_accumulation_steps=settings.accumulation_steps,
        max_grad_norm=settings.clip_grad_norm,
        bf16=computes_in_bfloat16(run, device),
        use_cpu=device.type == "cpu",
        seed=params.seed,
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        log_level="error",
        remove_unused_columns=False,
    )


class TaskTrainer(Trainer):
    """Minimises a task's loss over the batches that it is given."""

    def __init__(
        self,
        model: PreTrainedModel,
        arguments: TrainingArguments,
        *,
        task: Task,
        training: DataLoader[Any],
        frozen: nn.Module | None,
        optimizers: tuple[Optimizer, LambdaLR],
    ) -> None:
        super().__init__(model, arguments, train_dataset=training.dataset, optimizers=optimizers)
        self.remove_callback(PrinterCallback)
        self.model_accepts_loss_kwargs = False
        self.loss_is_scaled_for_ga = False
        self.task = task
        self.training_batches = training
        self.frozen = frozen
        self.step_loss: Tensor | float = 0.0
        """Mean loss over the batches of the optimizer step in progress, or of the last one."""

    def get_train_dataloader(self) -> DataLoader[Any]:
        return self.training_batches

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        loss = super().training_step(model, inputs, num_items_in_batch)
        self.step_loss = self.step_loss + loss
        return loss

    def compute_loss(
        self,
        model: Any,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,  # noqa: ARG002
    ) -> Any:
        if self.frozen is not None:
            self.frozen.eval()  # batch norms keep their statistics too
        with batch_norm_errors(), count_locally():
            loss, outputs = self.task.loss(model, inputs)
        return (loss, outputs) if return_outputs else loss

    def mean_step_loss(self) -> float:
        """Return the mean loss of the last optimizer step over all processes, each of which must call this."""
        return float(self.accelerator.reduce(self.step_loss, "mean"))

    def train_from(self, step: int) -> None:
        """Train from after optimizer step `step` to the end. Model, optimizer and schedule must be at that step."""
        if step == 0:
            self.train()
            return
        folder = Path(self.args.output_dir) / RESUME_FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        TrainerState(global_step=step, train_batch_size=self.args.train_batch_size).save_to_json(
            str(folder / TRAINER_STATE_NAME)
        )
        self.train(resume_from_checkpoint=str(folder))

    def _load_from_checkpoint(self, *_: Any, **__: Any) -> None:
        """The model has its weights already; of a checkpoint the Trainer reads the step alone."""
