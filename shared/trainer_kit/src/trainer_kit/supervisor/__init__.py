"""Supervision of attempts: starts their runners, and ends attempts whose runner has died."""

from trainer_kit.supervisor.attempt import Attempt
from trainer_kit.supervisor.container_launcher import ContainerLauncher
from trainer_kit.supervisor.container_plan import ContainerPlan, ContainersImpossible, make_plan
from trainer_kit.supervisor.errors import (
    AttemptSuperseded,
    Draining,
    NoFreeSlot,
    StillRunning,
    StorageFull,
    SupervisorError,
    UnknownAttempt,
)
from trainer_kit.supervisor.launcher import Launcher, ProcessLauncher, RunnerHandle
from trainer_kit.supervisor.supervisor import Supervisor
from trainer_kit.supervisor.warm_launcher import WarmLauncher

__all__ = [
    "Attempt",
    "AttemptSuperseded",
    "ContainerLauncher",
    "ContainerPlan",
    "ContainersImpossible",
    "Draining",
    "Launcher",
    "NoFreeSlot",
    "ProcessLauncher",
    "RunnerHandle",
    "StillRunning",
    "StorageFull",
    "Supervisor",
    "SupervisorError",
    "UnknownAttempt",
    "WarmLauncher",
    "make_plan",
]
