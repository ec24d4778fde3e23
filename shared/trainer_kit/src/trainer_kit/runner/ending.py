"""The decision how an attempt ended. No I/O, so that every case stands in a table of tests."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from trainer_kit.attempt_folder import StopOrder
from trainer_kit.trainer.out_of_memory import out_of_memory
from vision_contracts import Cancelled, EndReason, Failed, Finished, Paused

Ending = Finished | Failed | Cancelled | Paused


@dataclass(frozen=True)
class TrainerOutcome:
    """Facts about a trainer that has ended."""

    exit_code: int
    """Negative: the signal that ended it."""
    reported: Finished | Failed | None
    """The ending that the trainer reported last."""
    stop: StopOrder | None = None
    used_force: bool = False
    oom_kills: int = 0
    """Number of processes that the kernel has killed for lack of memory since the trainer was started."""
    last_lines: Sequence[str] = ()
    batch_size: int | None = None


def decide_ending(outcome: TrainerOutcome) -> Ending:
    """Return the one terminal event. The trainer's report takes precedence over its exit code and signals."""
    if isinstance(outcome.reported, Finished):
        return outcome.reported
    if outcome.stop is not None and (outcome.used_force or outcome.reported is None):
        return stopped_ending(outcome.stop)
    if outcome.oom_kills > 0 and _may_be_out_of_memory(outcome):
        return _out_of_memory(outcome)
    if outcome.reported is not None:
        return outcome.reported
    if outcome.exit_code < 0:
        name = signal.Signals(-outcome.exit_code).name
        return Failed(reason=EndReason.TRAINER_KILLED, message=f"The trainer was killed by {name}.{_tail(outcome)}")
    text = f"The trainer ended with exit code {outcome.exit_code} without reporting a reason."
    reason = EndReason.INTERNAL
    return Failed(reason=reason, message=f"{text} {reason.advice}{_tail(outcome)}")


def stopped_ending(order: StopOrder) -> Cancelled | Paused:
    """Return the ending that was ordered."""
    return Paused() if order.mode == "pause" else Cancelled(reason=order.reason)


def _may_be_out_of_memory(outcome: TrainerOutcome) -> bool:
    """Return whether the trainer may have been killed for lack of memory, or have lost a worker to it."""
    if isinstance(outcome.reported, Failed):
        return outcome.reported.reason.is_unexplained
    return outcome.exit_code == -signal.SIGKILL or outcome.exit_code > 0


def _out_of_memory(outcome: TrainerOutcome) -> Failed:
    otherwise = "use fewer workers, or give the service more memory"
    failure = out_of_memory("The machine ran out of memory", outcome.batch_size, otherwise=otherwise)
    return failure.model_copy(update={"message": failure.message + _tail(outcome)})


def _tail(outcome: TrainerOutcome) -> str:
    return "\nIts last lines:\n" + "\n".join(outcome.last_lines) if outcome.last_lines else ""
