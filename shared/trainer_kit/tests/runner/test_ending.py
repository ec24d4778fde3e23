import signal

import pytest

from trainer_kit.attempt_folder import StopOrder
from trainer_kit.runner.ending import Ending, TrainerOutcome, decide_ending
from vision_contracts import Cancelled, EndReason, Failed, Finished, Paused

STOP = StopOrder(attempt=1, mode="stop")
PAUSE = StopOrder(attempt=1, mode="pause")
TIMEOUT = StopOrder(attempt=1, reason=EndReason.TIMED_OUT)
FINISHED = Finished(values={"val/accuracy": 1.0})
BAD_DATA = Failed(reason=EndReason.BAD_DATA, message="No images.")
DEFECT = Failed(reason=EndReason.INTERNAL, message="KeyError")
KILLED, TERMINATED, CRASHED = -signal.SIGKILL, -signal.SIGTERM, -signal.SIGSEGV


@pytest.mark.parametrize(
    ("outcome", "ending"),
    [
        (TrainerOutcome(0, FINISHED), FINISHED),
        (TrainerOutcome(0, FINISHED, stop=STOP), FINISHED),
        (TrainerOutcome(CRASHED, FINISHED), FINISHED),
        (TrainerOutcome(1, BAD_DATA), BAD_DATA),
        (TrainerOutcome(1, DEFECT), DEFECT),
        (TrainerOutcome(0, None, stop=STOP), Cancelled()),
        (TrainerOutcome(0, None, stop=PAUSE), Paused()),
        (TrainerOutcome(0, None, stop=TIMEOUT), Cancelled(reason=EndReason.TIMED_OUT)),
        (TrainerOutcome(TERMINATED, None, stop=PAUSE, used_force=True), Paused()),
        (TrainerOutcome(KILLED, None, stop=STOP, used_force=True, oom_kills=1), Cancelled()),
        (TrainerOutcome(1, BAD_DATA, stop=STOP), BAD_DATA),
        (TrainerOutcome(1, DEFECT, stop=STOP, used_force=True), Cancelled()),
    ],
)
def test_what_the_trainer_says_counts_then_the_order_to_stop(outcome: TrainerOutcome, ending: Ending) -> None:
    assert decide_ending(outcome) == ending


@pytest.mark.parametrize(
    ("outcome", "reason", "says"),
    [
        (TrainerOutcome(KILLED, None), EndReason.TRAINER_KILLED, "SIGKILL"),
        (TrainerOutcome(CRASHED, None), EndReason.TRAINER_KILLED, "SIGSEGV"),
        (TrainerOutcome(CRASHED, None, oom_kills=1), EndReason.TRAINER_KILLED, "SIGSEGV"),
        (TrainerOutcome(KILLED, None, oom_kills=1, batch_size=16), EndReason.OUT_OF_MEMORY, "batch size of 8"),
        (TrainerOutcome(1, DEFECT, oom_kills=1, batch_size=16), EndReason.OUT_OF_MEMORY, "batch size of 8"),
        (TrainerOutcome(KILLED, None, oom_kills=1, batch_size=1), EndReason.OUT_OF_MEMORY, "smaller model"),
        (
            TrainerOutcome(KILLED, None, oom_kills=1, batch_size=4, last_lines=["x"]),
            EndReason.OUT_OF_MEMORY,
            "lines:\nx",
        ),
        (TrainerOutcome(1, BAD_DATA, oom_kills=1), EndReason.BAD_DATA, "No images"),
        (TrainerOutcome(3, None), EndReason.INTERNAL, "exit code 3"),
        (TrainerOutcome(3, None, last_lines=["one", "two"]), EndReason.INTERNAL, "one\ntwo"),
    ],
)
def test_a_death_without_a_word_is_explained(outcome: TrainerOutcome, reason: EndReason, says: str) -> None:
    ending = decide_ending(outcome)
    assert isinstance(ending, Failed)
    assert ending.reason is reason
    assert says in ending.message


@pytest.mark.parametrize(("batch_size", "proposal"), [(16, {"batch_size": 8}), (1, None), (None, None)])
def test_an_attempt_that_the_kernel_killed_proposes_a_smaller_batch(
    batch_size: int | None, proposal: dict[str, int] | None
) -> None:
    ending = decide_ending(TrainerOutcome(KILLED, None, oom_kills=1, batch_size=batch_size))
    assert isinstance(ending, Failed)
    assert ending.proposed_changes == proposal
