"""Plan of a dispatch round: the instance of each job that can start, the reason of each that waits. Pure functions."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from vision_api.models import TrainingJob
from vision_api.training_jobs.status import StatusReason
from vision_contracts import ServiceReady, WaitReason


@dataclass(frozen=True, slots=True)
class Candidate:
    """A queued job with the fields that planning needs."""

    job: TrainingJob
    framework: str
    user_id: int
    not_before: datetime | None


@dataclass
class Capacity:
    """Free slots of instances and running jobs of users. Planning consumes it."""

    free_slots: dict[str, dict[UUID, int]]
    """Framework → instance → free slots. A framework of which no instance answers is missing."""
    running_of_user: Counter[int]
    max_per_user: int
    """0: no limit."""
    total_slots: dict[str, int] = field(default_factory=dict[str, int])
    """Framework → all slots of its largest instance."""
    is_storage_full: bool = False
    full_frameworks: frozenset[str] = frozenset()
    """Frameworks of which an instance takes nothing because its disk is full."""

    def waiting_reason(self, candidate: Candidate) -> StatusReason | None:
        """Return the reason for which a job cannot start now, or None if it can."""
        if self.is_storage_full:
            return StatusReason(
                WaitReason.STORAGE_FULL, "The server's disk is almost full. The experiment starts when there is room."
            )
        instances = self.free_slots.get(candidate.framework)
        if instances is None:
            return StatusReason(
                WaitReason.SERVICE_UNAVAILABLE,
                f"The {candidate.framework} training service does not answer. The experiment starts when it does.",
            )
        if self.max_per_user and self.running_of_user[candidate.user_id] >= self.max_per_user:
            return StatusReason(
                WaitReason.USER_LIMIT, f"A user may have {self.max_per_user} experiments running at a time."
            )
        needed = self._needed(candidate)
        if not any(free >= needed for free in instances.values()):
            if candidate.framework in self.full_frameworks:
                text = f"The disk of the {candidate.framework} training service is almost full. The experiment starts "
                return StatusReason(WaitReason.STORAGE_FULL, f"{text}when there is room.")
            few = "no free slot" if needed == 1 else f"fewer than {needed} free slots"
            return StatusReason(WaitReason.NO_FREE_SLOT, f"The {candidate.framework} training service has {few}.")
        return None

    def take(self, candidate: Candidate) -> UUID:
        """Choose the instance with the most free slots and take the slots that the job needs."""
        instances = self.free_slots[candidate.framework]
        chosen = max(instances, key=lambda instance_id: instances[instance_id])
        instances[chosen] -= self._needed(candidate)
        self.running_of_user[candidate.user_id] += 1
        return chosen

    def _needed(self, candidate: Candidate) -> int:
        """Return one slot for each device. A job larger than every instance goes to the largest, which refuses it."""
        return min(candidate.job.slots, self.total_slots.get(candidate.framework, 1))


@dataclass
class Plan:
    """Jobs to start with their instances, and jobs that wait with their reasons."""

    starts: list[tuple[TrainingJob, UUID]] = field(default_factory=list)
    waits: list[tuple[TrainingJob, StatusReason]] = field(default_factory=list)


def free_slots(ready: ServiceReady, held: int) -> int:
    """Return the slots that are free on both sides: slots that the database has just given away are not in `ready` yet,
    and slots of attempts that an instance should not hold are not in the database.
    """
    return 0 if ready.draining or ready.is_storage_full else max(0, min(ready.slots - held, ready.free_slots))


def make_plan(candidates: Iterable[Candidate], capacity: Capacity, now: datetime) -> Plan:
    """Assign slots to `candidates`, which come in the order of the queue. A job that waits does not block others."""
    plan = Plan()
    for candidate in candidates:
        if candidate.not_before is not None and candidate.not_before > now:
            continue
        reason = capacity.waiting_reason(candidate)
        if reason is None:
            plan.starts.append((candidate.job, capacity.take(candidate)))
        else:
            plan.waits.append((candidate.job, reason))
    return plan


def make_capacity(
    instances: Iterable[tuple[UUID, str, ServiceReady]],
    held: Mapping[UUID, int],
    running_of_user: Mapping[int, int],
    max_per_user: int,
    *,
    is_storage_full: bool = False,
) -> Capacity:
    """Return the capacity from what each instance reports and how many of its slots the database has given away."""
    slots: dict[str, dict[UUID, int]] = {}
    total: dict[str, int] = {}
    full: set[str] = set()
    for instance_id, framework, ready in instances:
        slots.setdefault(framework, {})[instance_id] = free_slots(ready, held.get(instance_id, 0))
        total[framework] = max(total.get(framework, 1), ready.slots)
        if ready.is_storage_full:
            full.add(framework)
    return Capacity(slots, Counter(running_of_user), max_per_user, total, is_storage_full, frozenset(full))
