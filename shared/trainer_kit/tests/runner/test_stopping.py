import signal

import pytest

from trainer_kit.attempt_folder import AttemptFolder, StopOrder
from trainer_kit.runner.stopping import TERM_SECONDS, Escalation, StopMonitor
from vision_contracts import EndReason


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize("mode", ["stop", "pause"])
def test_a_stop_asks_then_terminates_then_kills(clock: Clock, mode: str) -> None:
    escalation = Escalation(clock)
    order = StopOrder.model_validate({"attempt": 1, "mode": mode, "grace_seconds": 10})
    assert escalation.due_signal(order) is None
    clock.now += 9.9
    assert escalation.due_signal(order) is None
    assert not escalation.has_used_force
    clock.now += 0.1
    assert escalation.due_signal(order) is signal.SIGTERM
    assert escalation.has_used_force
    assert escalation.due_signal(order) is None
    clock.now += TERM_SECONDS
    assert escalation.due_signal(order) is signal.SIGKILL


def test_a_kill_does_not_wait_even_if_it_comes_after_a_stop(clock: Clock) -> None:
    escalation = Escalation(clock)
    assert escalation.due_signal(StopOrder(attempt=1, grace_seconds=100)) is None
    assert escalation.due_signal(StopOrder(attempt=1, mode="kill", grace_seconds=100)) is signal.SIGKILL


def test_the_end_of_the_time_gives_an_order_to_stop(folder: AttemptFolder, clock: Clock) -> None:
    monitor = StopMonitor(folder, 5.0, clock)
    assert monitor.order() is None
    clock.now += 5.0
    order = monitor.order()
    assert order is not None
    assert (order.mode, order.reason) == ("stop", EndReason.TIMED_OUT)
    assert folder.read_stop() == order, "the trainer looks for the file"


def test_without_a_limit_only_an_order_in_the_folder_counts(folder: AttemptFolder, clock: Clock) -> None:
    monitor = StopMonitor(folder, None, clock)
    clock.now += 1e9
    assert monitor.order() is None
    order = folder.order_stop(StopOrder(attempt=1, mode="pause"))
    assert monitor.order() == order
