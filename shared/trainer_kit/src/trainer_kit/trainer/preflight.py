"""A dry run: any framework's own `train`, which is watched for a few steps and then stopped as a user would stop it."""

import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainer_kit.evaluation import Evaluator
from trainer_kit.trainer.attempt_run import H
from trainer_kit.trainer.errors import Stopped
from trainer_kit.trainer.run import TrainingRun
from vision_contracts import Metrics, PreflightOperation, Started

WARM_UP_STEPS = 1
"""The first step allocates and compiles what the others only use."""
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(kw_only=True)
class PreflightRun(TrainingRun[H]):
    """Looks like a training to the framework. Keeps no file, and tells no step."""

    _began: float = field(init=False)
    _started: float = field(init=False, default=0.0)
    _step_ends: list[float] = field(init=False, default_factory=list[float])
    _steps_per_epoch: int = field(init=False, default=0)
    _checkpoint_bytes: int = field(init=False, default=0)
    _has_epoch: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._began = self.clock()

    def start(
        self,
        *,
        device: str,
        num_classes: int | None,
        steps_per_epoch: int,
        resume_step: int = 0,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        self._started, self._steps_per_epoch = self.clock(), steps_per_epoch
        self.send(
            Started(resume_step=resume_step, device=device, versions=dict(versions or {}), num_classes=num_classes)
        )

    def should_report(self, step: int) -> bool:  # noqa: ARG002 - every step counts
        return True

    def report_step(self, step: int, values: Mapping[str, float]) -> None:  # noqa: ARG002
        self._step_ends.append(self.clock())

    def report_epoch(self, epoch: int, values: Mapping[str, float], evaluator: Evaluator | None = None) -> bool:  # noqa: ARG002
        """A whole epoch tells enough, however short it is."""
        self._has_epoch = True
        raise Stopped

    def save_checkpoint(self, path: Path, *, step: int, epoch: int) -> None:  # noqa: ARG002
        self._checkpoint_bytes = path.stat().st_size

    def stop_requested(self) -> bool:
        return self.is_measured or super().stop_requested()

    @property
    def is_measured(self) -> bool:
        """Whether enough steps are done."""
        assert isinstance(self.spec.work, PreflightOperation)  # noqa: S101 - the spec's promise
        return self._has_epoch or len(self._step_ends) >= WARM_UP_STEPS + self.spec.work.steps

    def conclude(self) -> None:
        """Tells what was measured, as metrics of the last step."""
        values = {
            "preflight/seconds_per_step": self._seconds_per_step(),
            "preflight/seconds_before_first_step": self._started - self._began,
            "preflight/steps_per_epoch": float(self._steps_per_epoch),
            "preflight/peak_memory_bytes": float(peak_memory()),
            "preflight/checkpoint_bytes": float(self._checkpoint_bytes),
        }
        known = {name: value for name, value in values.items() if value}
        self.send(Metrics(step=len(self._step_ends), epoch=0, values=dict(known)))
        self.report_end(known)

    def _seconds_per_step(self) -> float:
        """Without the first, unless there is no other."""
        ends = [self._started, *self._step_ends]
        first = min(WARM_UP_STEPS, max(0, len(ends) - 2))
        return (ends[-1] - ends[first]) / max(1, len(ends) - 1 - first)


def measured(train: Callable[[Any], None]) -> Callable[[Any], None]:
    """`train`, which ends as soon as enough is known."""

    def measure(run: PreflightRun[Any]) -> None:
        try:
            train(run)
        except Stopped:
            if not run.is_measured:
                raise
        run.conclude()

    return measure


def peak_memory() -> int:
    """Bytes, of the accelerator where there is one, else of this process. torch is asked if it is there: the kit itself
    never imports it.
    """
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        return max(torch.cuda.max_memory_reserved(index) for index in range(torch.cuda.device_count()))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
