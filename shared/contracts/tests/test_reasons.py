"""The table of reasons: each has a status, says whether it is retried, and what a user can do."""

import pickle

import pytest

from vision_contracts import EndReason


@pytest.mark.parametrize("reason", EndReason)
def test_a_reason_has_a_status_and_advice_and_says_whether_it_is_retried(reason: EndReason) -> None:
    assert reason.status in {"failed", "cancelled"}
    assert isinstance(reason.is_retried, bool)
    assert reason.advice[0].isupper()
    assert reason.advice.endswith(".")


def test_only_losses_of_infrastructure_are_retried_automatically() -> None:
    retried = {reason for reason in EndReason if reason.is_retried}

    assert retried == {EndReason.TRAINER_KILLED, EndReason.SERVICE_LOST, EndReason.STORAGE_UNAVAILABLE}


def test_only_a_request_or_a_limit_cancels_a_job() -> None:
    cancelling = {reason for reason in EndReason if reason.status == "cancelled"}

    assert cancelling == {EndReason.STOPPED_BY_USER, EndReason.TIMED_OUT}


@pytest.mark.parametrize("reason", EndReason)
def test_a_reason_is_its_code_on_the_wire_and_between_processes(reason: EndReason) -> None:
    assert EndReason(str(reason.value)) is reason
    assert str(reason) == reason.value == reason.name.lower()
    assert pickle.loads(pickle.dumps(reason)) is reason
