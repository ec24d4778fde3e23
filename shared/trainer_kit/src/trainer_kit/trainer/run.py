"""The one object that a framework's `train` works with: what to train, and whom to tell."""

import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from data_kit import Dataset
from trainer_kit.evaluation import Evaluator, History
from trainer_kit.trainer.attempt_run import AttemptRun, H, finite
from trainer_kit.trainer.errors import TrainingError
from trainer_kit.trainer.messages import FileReport
from vision_contracts import ArtifactKind, EndReason, Metrics, Progress, Started, metric_names

REPORTS_PER_EPOCH = 50
_LOSS_WORDS = {metric_names.TRAIN_LOSS: "training", metric_names.VAL_LOSS: "validation"}


@dataclass(kw_only=True)
class TrainingRun(AttemptRun[H]):
    """One training."""

    dataset: Dataset
    resume_from: Path | None = None
    """A local copy of the checkpoint to go on from: model, optimizer, schedule, step and random state."""
    best_checkpoint: Path | None = None
    """The best checkpoint so far: a local copy of an earlier attempt's, until this attempt has a better one."""
    initial_checkpoint: Path | None = None
    """A local copy of another job's checkpoint, to take weights from."""
    draws_pictures: bool = True
    """Whether the end of the training leaves pictures beside its report."""
    history: History = field(init=False)
    """Every validation of the job. It belongs into checkpoints, and is restored from the one to go on from."""
    _plan: "_Plan" = field(init=False)
    _losses: list[float] = field(init=False, default_factory=list[float])

    def __post_init__(self) -> None:
        self.history = History(metric_names.PRIMARY[self.spec.task_type])

    @property
    def device_batch_size(self) -> int:
        """A small data set does not fill a large batch."""
        return max(1, min(self.spec.params.batch_size, -(-len(self.dataset["train"]) // self.world.size)))

    @property
    def batch_description(self) -> str:
        """For the log."""
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
        """Everything is built: training begins with the step after `resume_step`."""
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
        """Whether `report_step` will tell of this step: ask before computing what is costly to read.

        The answer depends on the number of the step alone, so that a resumed run tells of the same steps.
        """
        return self._plan.should_report(step)

    def report_step(self, step: int, values: Mapping[str, float]) -> None:
        """An optimizer step is done (`step` counts from 1). Most calls cost nothing: see `reports`.

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
        """`epoch` epochs are complete and validated: whether this one is the best so far.

        `values` are the trainer's own, `val/loss` among them; `evaluator` has seen the validation's predictions, and
        gives the others. Points stand at the epoch's last step.
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

    def save_checkpoint(self, path: Path, *, step: int, epoch: int) -> None:
        """Hands over a checkpoint that is written completely; `path` may be replaced by the next one at once.

        `epoch` epochs are complete, validated and reported; one that was interrupted has more steps. Of several
        processes that train together only the first one's is kept.
        """
        if not self.world.is_main:
            return
        is_validated = step == epoch * self._plan.steps_per_epoch
        is_best = is_validated and epoch == self.history.best_epoch
        posted = self._post(path)
        if is_best:
            self.best_checkpoint = self._keep(posted, name=f"best{path.suffix}")
        self.send(
            FileReport(
                name=f"checkpoints/last{path.suffix}",
                kind=ArtifactKind.CHECKPOINT,
                path=str(posted.relative_to(self.folder)),
                step=step,
                epoch=epoch,
                is_best=is_best,
                values=finite(self.history.epochs.get(epoch, {})) if is_validated else {},
            )
        )

    def finish(self) -> None:
        """Trained to the end. The metrics of the best checkpoint go with it."""
        self.report_end(self.history.best)

    def _finite_loss(self, name: str, values: Mapping[str, float], step: int) -> float | None:
        """None where there is no such loss. Raises TrainingError."""
        loss = values.get(name)
        if loss is None or math.isfinite(loss):
            return loss
        raise TrainingError(
            EndReason.NAN_LOSS,
            f"The {_LOSS_WORDS[name]} loss became {loss} at step {step}. Lower the learning rate "
            f"(now {self.spec.params.learning_rate:g}), or look at the data set for broken images and labels.",
        )

    def _keep(self, posted: Path, name: str) -> Path:
        """A second name for a file of the outbox, which nobody writes to and the runner removes."""
        partial, kept = self.folder / f".{name}", self.folder / name
        partial.unlink(missing_ok=True)
        try:
            os.link(posted, partial)
        except OSError:  # a file system without hard links
            shutil.copyfile(posted, partial)
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
