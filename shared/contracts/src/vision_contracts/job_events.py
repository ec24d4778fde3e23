"""Events of an attempt: one JSON object a line, in order, numbered from 1."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter

from vision_contracts.base import Message, Time
from vision_contracts.reasons import EndReason


class LogLevel(StrEnum):
    """Levels of Python's standard logging."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class ArtifactKind(StrEnum):
    """Purpose of an artifact."""

    CHECKPOINT = "checkpoint"
    PLOT = "plot"
    REPORT = "report"
    EXPORT = "export"
    SAMPLE = "sample"
    LOG = "log"
    TRAINING_STATE = "training_state"


class Started(Message):
    """The trainer has built data and model, and is about to take the step after `resume_step`."""

    type: Literal["started"] = "started"
    resume_step: int = Field(ge=0, description="Optimizer steps already done; metrics of later steps come again.")
    device: str
    versions: dict[str, str] = Field(
        default={}, description="Versions of the libraries by name, the framework's first."
    )
    num_classes: int | None = None


class Progress(Message):
    """Progress of training. `epoch` counts completed epochs, `step` optimizer steps."""

    type: Literal["progress"] = "progress"
    epoch: int = Field(ge=0)
    epochs: int = Field(ge=1)
    step: int = Field(ge=0)
    steps: int = Field(ge=0)
    eta_seconds: float | None = None


class Metrics(Message):
    """Metrics of one step. A number that is not finite is null."""

    type: Literal["metrics"] = "metrics"
    step: int = Field(ge=0)
    epoch: int = Field(ge=0)
    values: dict[str, float | None]


class Log(Message):
    """A line of the training's log."""

    type: Literal["log"] = "log"
    level: LogLevel = LogLevel.INFO
    message: str


class StoredState(Message):
    """State that a training resumes from beside the weights, such as the optimizer's averages; stored completely."""

    uri: str
    sha256: str
    size_bytes: int = Field(ge=0)


class Checkpoint(Message):
    """A checkpoint that is stored completely. `uri` lies in this attempt's `output_uri`."""

    type: Literal["checkpoint"] = "checkpoint"
    name: str = Field(description="Artifact name, such as `checkpoints/last.pt`.")
    uri: str
    step: int = Field(ge=0)
    epoch: int = Field(ge=0)
    is_best: bool
    sha256: str
    size_bytes: int = Field(ge=0)
    values: dict[str, float | None] = Field(default={}, description="Metrics of its validation.")
    state: StoredState | None = Field(default=None, description="Null where the checkpoint itself holds it.")


class Artifact(Message):
    """A file of the attempt that is stored completely."""

    type: Literal["artifact"] = "artifact"
    name: str
    kind: ArtifactKind
    uri: str
    size_bytes: int = Field(ge=0)
    sha256: str
    content_type: str
    step: int | None = None


class Finished(Message):
    """The end of an attempt that was completed."""

    type: Literal["finished"] = "finished"
    values: dict[str, float | None] = Field(default={}, description="Metrics of the best checkpoint.")


def _known_or_internal(reason: Any) -> EndReason:
    try:
        return EndReason(reason)
    except ValueError:
        return EndReason.INTERNAL


ReportedReason = Annotated[EndReason, BeforeValidator(_known_or_internal)]
"""An end reason as a peer reports it: one that only a newer version knows becomes `internal`."""


class Failed(Message):
    """The end of an attempt by an error. `message` says what a user can do."""

    type: Literal["failed"] = "failed"
    reason: ReportedReason
    message: str
    proposed_changes: dict[str, Any] | None = Field(
        default=None, description="Settings with which a retry may succeed, as its `changes`: `{batch_size: 8}`."
    )


class Cancelled(Message):
    """The end of an attempt by a request to stop."""

    type: Literal["cancelled"] = "cancelled"
    reason: ReportedReason = EndReason.STOPPED_BY_USER


class Paused(Message):
    """The end of an attempt that can be resumed from its last checkpoint."""

    type: Literal["paused"] = "paused"


EventBody = Annotated[
    Started | Progress | Metrics | Log | Checkpoint | Artifact | Finished | Failed | Cancelled | Paused,
    Field(discriminator="type"),
]
TERMINAL_TYPES = frozenset({"finished", "failed", "cancelled", "paused"})

event_body_adapter: TypeAdapter[EventBody] = TypeAdapter(EventBody)


class JobEvent(Message):
    """One line of an attempt's event log: number, time, and a body whose fields stand on the same level."""

    seq: int = Field(ge=1)
    attempt: int = Field(ge=1)
    time: Time
    body: EventBody

    @property
    def is_terminal(self) -> bool:
        """Return whether it is the attempt's last event."""
        return self.body.type in TERMINAL_TYPES

    def to_line(self) -> str:
        """Return the event as one line of JSON, without a line break."""
        head = self.model_dump(mode="json", exclude={"body"})
        return _json.dump_json(head | self.body.model_dump(mode="json")).decode()

    @classmethod
    def from_line(cls, line: str | bytes) -> "JobEvent":
        """Parse a line, as the reverse of `to_line`.

        Raises pydantic's ValidationError for a line that is no event (a newer service's unknown type, say).
        """
        fields = _json.validate_json(line)
        return cls.model_validate(fields | {"body": fields})


_json: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
