"""Requests and responses of a training service's HTTP interface."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from vision_contracts.base import Message, Request
from vision_contracts.job_spec import CONTRACT_VERSION

HEARTBEAT_SECONDS = 3.0
"""Interval of the empty lines in a followed event stream without new events."""

SILENCE_SECONDS = 12.0
"""Time without a line after which a stream counts as lost."""


class DeviceInfo(Message):
    """An accelerator, or the CPU."""

    name: str = Field(description="`cpu`, `cuda:0`, `mps` …")
    description: str = ""
    memory_bytes: int | None = None


class ServiceReady(Message):
    """Identity and free capacity of a training service."""

    instance_id: UUID = Field(description="Kept in the data directory: a wiped disk is a new instance.")
    boot_id: UUID = Field(description="Identifies this process.")
    contract_version: int = CONTRACT_VERSION
    framework: str
    framework_version: str
    slots: int
    free_slots: int
    devices: list[DeviceInfo] = Field(default=[], description="Devices that a job may request, the CPU included.")
    draining: bool = False
    is_storage_full: bool = Field(default=False, description="Its disk has no room for another attempt.")
    kinds: list[str] = Field(default=["train"], description="Supported `JobKind`s; an older service has `train` only.")


class HeldJob(Message):
    """An attempt that an instance holds: running, or ended and not yet deleted."""

    job_uid: UUID
    attempt: int
    state: Literal["running", "ended"]
    last_seq: int = 0
    ended_as: str | None = Field(default=None, description="Type of the terminal event.")


class StopRequest(Request):
    """A request to end an attempt. `stop` and `pause` leave a checkpoint if it can be written in `grace_seconds`."""

    attempt: int = Field(ge=1)
    mode: Literal["stop", "pause", "kill"] = "stop"
    grace_seconds: float = Field(default=10.0, ge=0, le=600)
