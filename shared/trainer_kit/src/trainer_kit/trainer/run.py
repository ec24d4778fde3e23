"""The one object that a framework's `train` works with: what to train, and whom to tell."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from data_kit import Dataset
from trainer_kit.trainer.attempt_run import AttemptRun, H, finite
from trainer_kit.trainer.errors import TrainingError
from trainer_kit.trainer.messages import FileReport
from vision_contracts import ArtifactKind, EndReason, Metrics, Progress, Started, metric_names

REPORTS_PER_EPOCH = 50


@dataclass(kw_only=True)
class TrainingRun(AttemptRun[H]):
    """One training."""

    dataset: Dataset
    resume_from: Path | None = None
    """A local copy of the checkpoint to go on from: model, optimizer, schedule, step and random state."""
    initial_checkpoint: Path | None = None
    """A local copy of another job's checkpoint, to take weights from."""
    _plan: "_Plan" = field(init=False)

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

    def reports(self, step: int) -> bool:
        """Whether `report_step` will tell of this step: ask before computing what is costly to read.

        The answer depends on the number of the step alone, so that a resumed run tells of the same steps.
        """
        return self._plan.reports(step)

    def report_step(self, step: int, values: Mapping[str, float]) -> None:
        """An optimizer step is done (`step` counts from 1). Most calls cost nothing: see `reports`.

        Raises TrainingError with `nan_loss` for a training loss that is not finite.
        """
        if not self._plan.reports(step):
            return
        loss = values.get(metric_names.TRAIN_LOSS)
        if loss is not None and not math.isfinite(loss):
            raise TrainingError(
                EndReason.NAN_LOSS,
                f"The training loss became {loss} at step {step}. Lower the learning rate "
                f"(now {self.spec.params.learning_rate:g}), or look at the data set for broken images and labels.",
            )
        epoch = (step - 1) // self._plan.steps_per_epoch
        self.send(Metrics(step=step, epoch=epoch, values=finite(values)))
        self.send(self._plan.progress(step, epoch, self.clock()))

    def report_epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """`epoch` epochs are complete and validated. Points stand at the epoch's last step."""
        step = epoch * self._plan.steps_per_epoch
        self.send(Metrics(step=step, epoch=epoch, values=finite(values)))
        self.send(self._plan.progress(step, epoch, self.clock()))

    def save_checkpoint(
        self,
        path: Path,
        *,
        step: int,
        epoch: int,
        is_best: bool,
        values: Mapping[str, float],
    ) -> None:
        """Hands over a checkpoint that is written completely; `path` may be replaced by the next one at once.

        `values` are the metrics of the validation that it belongs to.
        """
        self.send(
            FileReport(
                name=f"checkpoints/last{path.suffix}",
                kind=ArtifactKind.CHECKPOINT,
                path=self._post(path),
                step=step,
                epoch=epoch,
                is_best=is_best,
                values=finite(values),
            )
        )


@dataclass(frozen=True)
class _Plan:
    epochs: int
    steps_per_epoch: int
    first_step: int
    started_at: float

    @property
    def steps(self) -> int:
        return self.epochs * self.steps_per_epoch

    def reports(self, step: int) -> bool:
        every = max(1, self.steps_per_epoch // REPORTS_PER_EPOCH)
        return step % every == 0 or step % self.steps_per_epoch == 0

    def progress(self, step: int, epoch: int, now: float) -> Progress:
        done = step - self.first_step
        eta = (now - self.started_at) / done * (self.steps - step) if done > 0 else None
        return Progress(epoch=epoch, epochs=self.epochs, step=step, steps=self.steps, eta_seconds=eta)
