"""A dry run: it measures a few steps of the framework's own `train`, and stops it as a user would."""

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
"""Steps that are not measured: the first one allocates memory and compiles."""
RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in a unit of `ru_maxrss`."""


@dataclass(kw_only=True)
class PreflightRun(TrainingRun[H]):
    """A training for the framework that is only measured. It publishes no file and reports no step."""

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
        """Stop after one epoch, even if it has fewer steps than requested."""
        self._has_epoch = True
        raise Stopped

    def save_checkpoint(self, path: Path, *, step: int, epoch: int, state: Path | None = None) -> None:  # noqa: ARG002
        self._checkpoint_bytes = path.stat().st_size + (state.stat().st_size if state else 0)

    def stop_requested(self) -> bool:
        return self.is_measured or super().stop_requested()

    @property
    def is_measured(self) -> bool:
        """True once enough steps are done."""
        assert isinstance(self.spec.work, PreflightOperation)  # noqa: S101 - the spec's promise
        return self._has_epoch or len(self._step_ends) >= WARM_UP_STEPS + self.spec.work.steps

    def report_measurements(self) -> None:
        """Report the measurements as metrics of the last step, and the end of the dry run."""
        values = {
            "preflight/seconds_per_step": self._seconds_per_step(),
            "preflight/seconds_before_first_step": self._started - self._began,
            "preflight/steps_per_epoch": float(self._steps_per_epoch),
            "preflight/peak_memory_bytes": float(peak_memory()),
            "preflight/checkpoint_bytes": float(self._checkpoint_bytes),
        }
        known = {name: value for name, value in values.items() if value}
        self.send(Metrics(step=len(self._step_ends), epoch=0, values=dict(known)))
        self.report_finished(known)

    def _seconds_per_step(self) -> float:
        """Mean duration of the steps after the first, or of the first if there is no other."""
        ends = [self._started, *self._step_ends]
        first = min(WARM_UP_STEPS, max(0, len(ends) - 2))
        return (ends[-1] - ends[first]) / max(1, len(ends) - 1 - first)


def as_preflight(train: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return an entry point that runs `train` until enough steps are measured, and reports the measurements."""

    def measure(run: PreflightRun[Any]) -> None:
        try:
            train(run)
        except Stopped:
            if not run.is_measured:
                raise
        run.report_measurements()

    return measure


def peak_memory() -> int:
    """Return the peak in bytes: of the CUDA device that reserved most, if torch uses CUDA, else of this process. The
    kit itself never imports torch.
    """
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        return max(torch.cuda.max_memory_reserved(index) for index in range(torch.cuda.device_count()))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
