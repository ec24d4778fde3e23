"""Assignment of slots, and the reasons of jobs that wait."""

from collections import Counter
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from support.job_rows import job_fields

from vision_api.kit.clock import utc_now
from vision_api.models import TrainingJob
from vision_api.training_jobs.loops.plan import Candidate, Capacity, Plan, free_slots, make_capacity, make_plan
from vision_contracts import ServiceReady

A, B = UUID(int=1), UUID(int=2)


def candidate(
    framework: str = "timm", user_id: int = 1, wait_seconds: float | None = None, devices: int = 1
) -> Candidate:
    not_before = None if wait_seconds is None else utc_now() + timedelta(seconds=wait_seconds)
    return Candidate(TrainingJob(**job_fields() | {"num_devices": devices}), framework, user_id, not_before)


def plan(candidates: list[Candidate], *, running: dict[int, int] | None = None, limit: int = 0, **free: int) -> Plan:
    slots = {"timm": {UUID(int=int(name[1:])): count for name, count in free.items()}} if free else {}
    return make_plan(candidates, Capacity(slots, Counter(running or {}), limit), utc_now())


def reasons(made: Plan) -> list[str | None]:
    return [reason.code for _, reason in made.waits]


def test_slots_are_given_in_the_order_of_the_queue() -> None:
    first, second, third = candidate(), candidate(), candidate()

    made = plan([first, second, third], i1=1, i2=1)

    assert [job for job, _ in made.starts] == [first.job, second.job]
    assert {instance for _, instance in made.starts} == {A, B}
    assert reasons(made) == ["no_free_slot"]


def test_the_emptiest_instance_is_chosen() -> None:
    assert plan([candidate()], i1=1, i2=3).starts[0][1] == B


def test_a_job_for_several_devices_takes_as_many_slots_of_one_instance() -> None:
    wide, narrow, waiting = candidate(devices=3), candidate(), candidate(devices=2)
    free = {"timm": {A: 1, B: 4}}

    made = make_plan([wide, narrow, waiting], Capacity(free, Counter(), 0, {"timm": 4}), utc_now())

    assert made.starts[0] == (wide.job, B)
    assert free == {"timm": {A: 0, B: 1}}
    assert [(job, reason.code) for job, reason in made.waits] == [(waiting.job, "no_free_slot")]


def test_a_job_wider_than_every_instance_is_left_to_the_largest_to_refuse() -> None:
    made = make_plan(
        [candidate(devices=8), candidate()], Capacity({"timm": {A: 1, B: 4}}, Counter(), 0, {"timm": 4}), utc_now()
    )

    assert [instance for _, instance in made.starts] == [B, A]


def test_a_framework_that_does_not_answer_does_not_hold_up_another() -> None:
    made = plan([candidate("huggingface"), candidate("timm")], i1=1)

    assert reasons(made) == ["service_unavailable"]
    assert len(made.starts) == 1


def test_a_users_limit_counts_what_runs_and_what_is_started_now() -> None:
    made = plan([candidate(user_id=7), candidate(user_id=7), candidate(user_id=8)], running={7: 1}, limit=2, i1=9)

    assert len(made.starts) == 2
    assert reasons(made) == ["user_limit"]


def test_a_job_that_backs_off_keeps_its_reason_until_its_time_has_come() -> None:
    made = plan([candidate(wait_seconds=5), candidate(wait_seconds=-5)], i1=2)

    assert len(made.starts) == 1
    assert made.waits == []


@pytest.mark.parametrize(
    ("free", "held", "draining", "expected"),
    [(2, 0, False, 2), (2, 1, False, 1), (0, 0, False, 0), (1, 1, False, 1), (2, 3, False, 0), (2, 0, True, 0)],
)
def test_a_slot_is_free_only_if_both_sides_think_so(free: int, held: int, draining: bool, expected: int) -> None:
    ready = ServiceReady(
        instance_id=A, boot_id=uuid4(), framework="timm", framework_version="1", slots=2, free_slots=free,
        draining=draining,
    )  # fmt: skip

    assert free_slots(ready, held) == expected
    capacity = make_capacity([(A, "timm", ready)], {A: held}, {}, 0)
    assert (capacity.free_slots, capacity.total_slots) == ({"timm": {A: expected}}, {"timm": 2})


def test_job_waits_for_the_disk_of_a_full_instance() -> None:
    ready = ServiceReady(
        instance_id=A, boot_id=A, framework="timm", framework_version="1", slots=2, free_slots=0, is_storage_full=True
    )
    made = make_plan([candidate()], make_capacity([(A, "timm", ready)], {}, {}, 0), utc_now())

    assert reasons(made) == ["storage_full"]
    assert "disk of the timm training service" in str(made.waits[0][1].message)
