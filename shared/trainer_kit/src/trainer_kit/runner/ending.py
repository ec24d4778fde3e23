"""How an attempt ended, decided from what is known of it. No I/O, so that every case stands in a table of tests."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from trainer_kit.attempt_folder import StopOrder
from trainer_kit.trainer.out_of_memory import out_of_memory
from vision_contracts import Cancelled, EndReason, Failed, Finished, Paused

Ending = Finished | Failed | Cancelled | Paused


@dataclass(frozen=True)
class Facts:
    """What the runner knows once the trainer has ended."""

    exit_code: int
    """Negative: the signal that ended it."""
    told: Finished | Failed | None
    """What the trainer said last about its end."""
    stop: StopOrder | None = None
    used_force: bool = False
    oom_kills: int = 0
    """How many processes the kernel has killed for want of memory since the trainer was started."""
    last_lines: Sequence[str] = ()
    batch_size: int | None = None


def decide_ending(facts: Facts) -> Ending:
    """The one terminal event. What the trainer says counts before what is guessed from its death."""
    if isinstance(facts.told, Finished):
        return facts.told
    if facts.stop is not None and (facts.used_force or facts.told is None):
        return stopped_ending(facts.stop)
    if facts.oom_kills > 0 and _may_be_memory(facts):
        return _out_of_memory(facts)
    if facts.told is not None:
        return facts.told
    if facts.exit_code < 0:
        name = signal.Signals(-facts.exit_code).name
        return Failed(reason=EndReason.TRAINER_KILLED, message=f"The trainer was killed by {name}.{_tail(facts)}")
    what = f"The trainer ended with exit code {facts.exit_code} and without a word."
    advice = "Retry it, and report it with its log if it happens again."
    return Failed(reason=EndReason.INTERNAL, message=f"{what} {advice}{_tail(facts)}")


def stopped_ending(order: StopOrder) -> Cancelled | Paused:
    """The ending that was ordered."""
    return Paused() if order.mode == "pause" else Cancelled(reason=order.reason)


def _may_be_memory(facts: Facts) -> bool:
    """The trainer itself was killed, or died of the loss of a worker that was."""
    if isinstance(facts.told, Failed):
        return facts.told.reason is EndReason.INTERNAL
    return facts.exit_code == -signal.SIGKILL or facts.exit_code > 0


def _out_of_memory(facts: Facts) -> Failed:
    otherwise = "use fewer workers, or give the service more memory"
    failure = out_of_memory("The machine ran out of memory", facts.batch_size, otherwise=otherwise)
    return failure.model_copy(update={"message": failure.message + _tail(facts)})


def _tail(facts: Facts) -> str:
    return "\nIts last lines:\n" + "\n".join(facts.last_lines) if facts.last_lines else ""
