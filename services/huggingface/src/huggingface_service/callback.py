"""The Trainer's callback, which does what is due around its steps: seeds, reports, validation, checkpoints, stop."""

from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments, set_seed

from huggingface_service.checkpoint import Checkpoint, save_checkpoint
from huggingface_service.config import Hyperparameters
from huggingface_service.data import stable_seed
from huggingface_service.log_messages import log_epoch
from huggingface_service.trainer import TaskTrainer
from huggingface_service.validation import validate
from trainer_kit.trainer import Stopped, TrainingRun
from vision_contracts import metric_names

CHECKPOINT = Path("last.pt")
STATE = Path("state.pt")


class JobCallback(TrainerCallback):
    """Seed, report, validate and save one training, and stop it on request."""

    def __init__(
        self,
        run: TrainingRun[Hyperparameters],
        trainer: TaskTrainer,
        validation: DataLoader[Any],
        steps_per_epoch: int,
        image_size: int,
        resumed: Checkpoint | None,
    ) -> None:
        self.run = run
        self.trainer = trainer
        self.validation = validation
        self.steps_per_epoch = steps_per_epoch
        self.image_size = image_size
        self.epoch = resumed.epoch if resumed else 0
        self.learning_rate = 0.0
        self.epoch_started_at = run.clock()

    def catch_up(self, step: int) -> None:
        """Validate an epoch whose last step an earlier attempt has taken, if it was stopped before the validation."""
        if step == (self.epoch + 1) * self.steps_per_epoch:
            self.finish_epoch(step)

    def on_epoch_begin(self, _args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: Any) -> None:
        self.epoch_started_at = self.run.clock()
        self.trainer.training_batches.sampler.epoch = state.global_step // self.steps_per_epoch

    def on_step_begin(self, _args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: Any) -> None:
        # Every step has random numbers of its own, so that a training resumes from any step as if never stopped.
        set_seed(stable_seed(self.run.spec.params.seed, state.global_step) ^ self.run.world.rank)
        self.trainer.step_loss = 0.0

    def on_pre_optimizer_step(
        self, _args: TrainingArguments, _state: TrainerState, _control: TrainerControl, **_: Any
    ) -> None:
        self.learning_rate = max(group["lr"] for group in self.trainer.optimizer.param_groups)

    def on_step_end(self, _args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: Any) -> None:
        if self.run.should_report(state.global_step):
            self.run.report_step(
                state.global_step,
                {
                    metric_names.TRAIN_LOSS: self.trainer.mean_step_loss(),
                    metric_names.LEARNING_RATE: self.learning_rate,
                },
            )
        self.stop_if_asked(state.global_step)

    def on_epoch_end(self, _args: TrainingArguments, state: TrainerState, _control: TrainerControl, **_: Any) -> None:
        self.finish_epoch(state.global_step)

    def finish_epoch(self, step: int) -> None:
        """Validate, report and save the epoch that ends with `step`, in the first of several processes only."""
        if not self.run.world.is_main:
            return
        loss, evaluator = validate(self.trainer, self.validation, after_batch=lambda: self.stop_if_asked(step))
        seconds = self.run.clock() - self.epoch_started_at
        self.epoch = step // self.steps_per_epoch
        values = {metric_names.VAL_LOSS: loss, metric_names.EPOCH_SECONDS: seconds}
        is_best = self.run.report_epoch(self.epoch, values, evaluator)
        log_epoch(self.run, self.epoch, is_best=is_best)
        self.save(step)

    def stop_if_asked(self, step: int) -> None:
        """Save the training at `step` and raise Stopped, if a stop is requested."""
        if self.run.stop_requested():
            self.run.log(f"Stopping after step {step}.")
            self.save(step)
            raise Stopped

    def save(self, step: int) -> None:
        """Write a checkpoint from which training resumes exactly as it would continue now."""
        spec, trainer = self.run.spec, self.trainer
        path, state_path = self.run.folder / CHECKPOINT, self.run.folder / STATE
        save_checkpoint(
            Checkpoint(
                model={name: value.cpu() for name, value in trainer.model.state_dict().items()},
                model_name=spec.model_name,
                task_type=spec.task_type.value,
                class_names=list(self.run.dataset.class_names),
                image_size=self.image_size,
                config=trainer.model.config.to_json_string(),
                epoch=self.epoch,
                step=step,
                optimizer_name=spec.params.optimizer,
                optimizer=trainer.optimizer.state_dict(),
                history=self.run.history.epochs,
                steps_per_epoch=self.steps_per_epoch,
            ),
            path,
            state_path,
        )
        self.run.save_checkpoint(path, step=step, epoch=self.epoch, state=state_path)
