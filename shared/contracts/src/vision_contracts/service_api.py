"""The HTTP interface of a training service: what each route takes and answers."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from vision_contracts.base import Message, Request
from vision_contracts.job_spec import CONTRACT_VERSION

HEARTBEAT_SECONDS = 3.0
"""A followed event stream carries an empty line this often when it has nothing to tell."""

SILENCE_SECONDS = 12.0
"""A stream that has been silent for this long is lost."""


class DeviceInfo(Message):
    """An accelerator, or the CPU."""

    name: str = Field(description="`cpu`, `cuda:0`, `mps` …")
    description: str = ""
    memory_bytes: int | None = None


class ServiceReady(Message):
    """Who answers, and what it can take on now."""

    instance_id: UUID = Field(description="Lives in the data directory: a wiped disk is a new instance.")
    boot_id: UUID = Field(description="Of this process.")
    contract_version: int = CONTRACT_VERSION
    framework: str
    framework_version: str
    slots: int
    free_slots: int
    devices: list[DeviceInfo] = Field(default=[], description="What a job may ask for; the CPU is one of them.")
    draining: bool = False
    kinds: list[str] = Field(default=["train"], description="`JobKind`s that it can do; an older one trains only.")


class HeldJob(Message):
    """An attempt that an instance holds: running, or ended and not yet deleted."""

    job_uid: UUID
    attempt: int
    state: Literal["running", "ended"]
    last_seq: int = 0
    ended_as: str | None = Field(default=None, description="Type of the terminal event.")


class StopRequest(Request):
    """How to end an attempt. `stop` and `pause` leave a checkpoint if it can be written in `grace_seconds`."""

    attempt: int = Field(ge=1)
    mode: Literal["stop", "pause", "kill"] = "stop"
    grace_seconds: float = Field(default=10.0, ge=0, le=600)
