"""The argument of a framework's `train`: the job and its inputs, and methods to report progress and checkpoints."""

import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from data_kit import Dataset
from trainer_kit.evaluation import Evaluator, History
from trainer_kit.trainer.attempt_run import STATE_PREFIX, AttemptRun, H, finite
from trainer_kit.trainer.errors import TrainingError
from trainer_kit.trainer.messages import FileReport
from vision_contracts import ArtifactKind, EndReason, Metrics, Progress, Started, metric_names

REPORTS_PER_EPOCH = 50
STATE_IS_TRIMMED = (
    "The training state was trimmed: training continues from the weights of the checkpoint, with a new optimizer."
)
"""Warning of a resume without the state of its checkpoint."""
_LOSS_WORDS = {metric_names.TRAIN_LOSS: "training", metric_names.VAL_LOSS: "validation"}


@dataclass(kw_only=True)
class TrainingRun(AttemptRun[H]):
    """One attempt of a training."""

    dataset: Dataset
    resume_from: Path | None = None
    """Local copy of the checkpoint to resume from."""
    resume_state: Path | None = None
    """Local copy of the training state of `resume_from`, as it was given to `save_checkpoint`. None where the
    checkpoint holds it itself, and where it is trimmed: then only the weights are left, and the optimizer starts anew.
    """
    best_checkpoint: Path | None = None
    """Best checkpoint so far: a local copy of an earlier attempt's, until this attempt has a better one."""
    initial_checkpoint: Path | None = None
    """Local copy of another job's checkpoint, whose weights are the initial ones."""
    draws_pictures: bool = True
    """Draw plots beside the report at the end of the training."""
    history: History = field(init=False)
    """Metrics of every validation of the job. Save `history.epochs` in checkpoints, and restore it when resuming."""
    _plan: "_Plan" = field(init=False)
    _losses: list[float] = field(init=False, default_factory=list[float])

    def __post_init__(self) -> None:
        self.history = History(metric_names.PRIMARY[self.spec.task_type])

    @property
    def device_batch_size(self) -> int:
        """Largest number of images in a batch of this process; a small data set does not fill the job's batch size."""
        return max(1, min(self.spec.params.batch_size, -(-len(self.dataset["train"]) // self.world.size)))

    @property
    def batch_description(self) -> str:
        """Description for the log, such as `batches of 8 on each of 2 devices (16 images together)`."""
        size, devices = self.spec.params.batch_size, self.world.size
        together = f" on each of {devices} devices ({devices * size} images together)" if devices > 1 else ""
        return f"batches of {size}{together}"

    def start(
        self,
        *,
        device: str,
        num_classes: int | None,
        steps_per_epoch: int,
        resume_step: int = 0,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        """Report that everything is built and training begins, with the step after `resume_step`.

        `versions` are those of the libraries by name; `num_classes` is None where it does not apply.
        """
        self._plan = _Plan(self.spec.params.epochs, steps_per_epoch, resume_step, self.clock())
        self.send(
            Started(
                resume_step=resume_step,
                device=device,
                versions=dict(versions or {}),
                num_classes=num_classes,
            )
        )

    def should_report(self, step: int) -> bool:
        """Return whether `report_step` reports this step: check it before computing values that are slow to read.

        It depends on the number of the step alone, so that a resumed run reports the same steps.
        """
        return self._plan.should_report(step)

    def report_step(self, step: int, values: Mapping[str, float]) -> None:
        """Report an optimizer step (`step` counts from 1). Steps that `should_report` rejects are ignored.

        Raises TrainingError with `nan_loss` for a training loss that is not finite.
        """
        if not self._plan.should_report(step):
            return
        if (loss := self._finite_loss(metric_names.TRAIN_LOSS, values, step)) is not None:
            self._losses.append(loss)
        epoch = (step - 1) // self._plan.steps_per_epoch
        self.send(Metrics(step=step, epoch=epoch, values=finite(values)))
        self.send(self._plan.progress(step, epoch, self.clock()))

    def report_epoch(self, epoch: int, values: Mapping[str, float], evaluator: Evaluator | None = None) -> bool:
        """Report the validation after `epoch` complete epochs, and return whether it is the best so far.

        `values` are the trainer's own metrics, such as `val/loss`; those of the task come from `evaluator`, which has
        the predictions of the validation. Their step is the epoch's last.
        Raises TrainingError with `nan_loss` for a validation loss that is not finite.
        """
        step = epoch * self._plan.steps_per_epoch
        self._finite_loss(metric_names.VAL_LOSS, values, step)
        values = {**values, **(evaluator.values() if evaluator else {})}
        self.send(Metrics(step=step, epoch=epoch, values=finite(values)))
        self.send(self._plan.progress(step, epoch, self.clock()))
        trained = {metric_names.TRAIN_LOSS: fmean(self._losses)} if self._losses else {}
        self._losses.clear()
        return self.history.add(epoch, values | trained, evaluator)

    def save_checkpoint(self, path: Path, *, step: int, epoch: int, state: Path | None = None) -> None:
        """Publish a copy of a complete checkpoint file; `path` may be overwritten afterwards.

        `state` is a file of what only a resume needs beside the weights in `path`: optimizer, random numbers. It is
        kept for the newest checkpoint alone, and given up when the training's state is trimmed.
        `epoch` is the number of epochs that are complete and reported; a checkpoint within an epoch has more steps.
        Does nothing in a process that is not `world.is_main`.
        """
        if not self.world.is_main:
            return
        is_validated = step == epoch * self._plan.steps_per_epoch
        is_best = is_validated and epoch == self.history.best_epoch
        copy = self._copy_to_outbox(path)
        if is_best:
            self.best_checkpoint = self._keep(copy, name=f"best{path.suffix}")
        self.send(
            FileReport(
                name=f"checkpoints/last{path.suffix}",
                kind=ArtifactKind.CHECKPOINT,
                path=str(copy.relative_to(self.folder)),
                state_path=None if state is None else str(self._copy_state(state, copy).relative_to(self.folder)),
                step=step,
                epoch=epoch,
                is_best=is_best,
                values=finite(self.history.epochs.get(epoch, {})) if is_validated else {},
            )
        )

    def finish(self) -> None:
        """Report that the training has finished, with the metrics of its best validation."""
        self.report_finished(self.history.best)

    def _finite_loss(self, name: str, values: Mapping[str, float], step: int) -> float | None:
        """Return the loss, or None if `values` has none. Raises TrainingError if it is not finite."""
        loss = values.get(name)
        if loss is None or math.isfinite(loss):
            return loss
        raise TrainingError(
            EndReason.NAN_LOSS,
            f"The {_LOSS_WORDS[name]} loss became {loss} at step {step}. Lower the learning rate "
            f"(now {self.spec.params.learning_rate:g}), or check the data set for broken images and labels.",
        )

    def _copy_state(self, state: Path, checkpoint: Path) -> Path:
        """Copy a training state beside its checkpoint in the outbox, with which it counts as one file."""
        copy = checkpoint.with_name(f"{STATE_PREFIX}{checkpoint.name}")
        shutil.copyfile(state, copy)
        return copy

    def _keep(self, copy: Path, name: str) -> Path:
        """Give a file of the outbox, which the runner will remove, a second name in the attempt's folder."""
        partial, kept = self.folder / f".{name}", self.folder / name
        partial.unlink(missing_ok=True)
        try:
            os.link(copy, partial)
        except OSError:  # a file system without hard links
            shutil.copyfile(copy, partial)
        return partial.rename(kept)


@dataclass(frozen=True)
class _Plan:
    epochs: int
    steps_per_epoch: int
    first_step: int
    started_at: float

    @property
    def steps(self) -> int:
        return self.epochs * self.steps_per_epoch

    def should_report(self, step: int) -> bool:
        every = max(1, self.steps_per_epoch // REPORTS_PER_EPOCH)
        return step % every == 0 or step % self.steps_per_epoch == 0

    def progress(self, step: int, epoch: int, now: float) -> Progress:
        done = step - self.first_step
        eta = (now - self.started_at) / done * (self.steps - step) if done > 0 else None
        return Progress(epoch=epoch, epochs=self.epochs, step=step, steps=self.steps, eta_seconds=eta)
