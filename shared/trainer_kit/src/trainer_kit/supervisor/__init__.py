"""Holds attempts, starts their runners, and notices what has died."""

from trainer_kit.supervisor.attempt import Attempt
from trainer_kit.supervisor.errors import (
    AttemptSuperseded,
    Draining,
    NoFreeSlot,
    StillRunning,
    SupervisorError,
    UnknownAttempt,
)
from trainer_kit.supervisor.launcher import Launcher, ProcessLauncher, RunnerHandle
from trainer_kit.supervisor.supervisor import Supervisor
from trainer_kit.supervisor.warm_launcher import WarmLauncher

__all__ = [
    "Attempt",
    "AttemptSuperseded",
    "Draining",
    "Launcher",
    "NoFreeSlot",
    "ProcessLauncher",
    "RunnerHandle",
    "StillRunning",
    "Supervisor",
    "SupervisorError",
    "UnknownAttempt",
    "WarmLauncher",
]
