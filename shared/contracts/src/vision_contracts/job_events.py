"""What an attempt tells: one JSON object a line, in one order, numbered from 1."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter

from vision_contracts.base import Message, Time
from vision_contracts.reasons import EndReason


class LogLevel(StrEnum):
    """As in the standard library's logging."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class ArtifactKind(StrEnum):
    """What an artifact is for."""

    CHECKPOINT = "checkpoint"
    PLOT = "plot"
    REPORT = "report"
    EXPORT = "export"
    SAMPLE = "sample"
    LOG = "log"


class Started(Message):
    """The trainer has built data and model, and is about to take the step after `resume_step`."""

    type: Literal["started"] = "started"
    resume_step: int = Field(ge=0, description="Optimizer steps already done; points beyond it will come again.")
    device: str
    versions: dict[str, str] = Field(default={}, description="Of the libraries that take part, the framework's own first.")
    num_classes: int | None = None


class Progress(Message):
    """How far training is. `epoch` counts completed epochs, `step` optimizer steps."""

    type: Literal["progress"] = "progress"
    epoch: int = Field(ge=0)
    epochs: int = Field(ge=1)
    step: int = Field(ge=0)
    steps: int = Field(ge=0)
    eta_seconds: float | None = None


class Metrics(Message):
    """Numbers of one step. A number that is not finite is null."""

    type: Literal["metrics"] = "metrics"
    step: int = Field(ge=0)
    epoch: int = Field(ge=0)
    values: dict[str, float | None]


class Log(Message):
    """A line for whoever follows the training."""

    type: Literal["log"] = "log"
    level: LogLevel = LogLevel.INFO
    message: str


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
    values: dict[str, float | None] = Field(default={}, description="Metrics of the validation that it belongs to.")


class Artifact(Message):
    """A file that the attempt leaves, stored completely."""

    type: Literal["artifact"] = "artifact"
    name: str
    kind: ArtifactKind
    uri: str
    size_bytes: int = Field(ge=0)
    sha256: str
    content_type: str
    step: int | None = None


class Finished(Message):
    """Trained to the end."""

    type: Literal["finished"] = "finished"
    values: dict[str, float | None] = Field(default={}, description="Metrics of the best checkpoint.")


def _known(reason: Any) -> EndReason:
    try:
        return EndReason(reason)
    except ValueError:
        return EndReason.INTERNAL


ToldReason = Annotated[EndReason, BeforeValidator(_known)]
"""One that a newer peer has and we do not is `internal` here: whatever it is, the attempt has ended."""


class Failed(Message):
    """Ended by an error. `message` says what a user can do."""

    type: Literal["failed"] = "failed"
    reason: ToldReason
    message: str
    proposed_changes: dict[str, Any] | None = Field(
        default=None, description="Settings with which a retry may go well, as its `changes`: `{batch_size: 8}`."
    )


class Cancelled(Message):
    """Ended because it was told to stop."""

    type: Literal["cancelled"] = "cancelled"
    reason: ToldReason = EndReason.STOPPED_BY_USER


class Paused(Message):
    """Ended in order to go on later from its last checkpoint."""

    type: Literal["paused"] = "paused"


EventBody = Annotated[
    Started | Progress | Metrics | Log | Checkpoint | Artifact | Finished | Failed | Cancelled | Paused,
    Field(discriminator="type"),
]
TERMINAL_TYPES = frozenset({"finished", "failed", "cancelled", "paused"})

event_body_adapter: TypeAdapter[EventBody] = TypeAdapter(EventBody)


class JobEvent(Message):
    """One line of an attempt's event log: who, when, and a body whose fields stand on the same level."""

    seq: int = Field(ge=1)
    attempt: int = Field(ge=1)
    time: Time
    body: EventBody

    @property
    def is_terminal(self) -> bool:
        """Nothing comes after this event."""
        return self.body.type in TERMINAL_TYPES

    def to_line(self) -> str:
        """The event as one line of JSON, without the line's end."""
        head = self.model_dump(mode="json", exclude={"body"})
        return _json.dump_json(head | self.body.model_dump(mode="json")).decode()

    @classmethod
    def from_line(cls, line: str | bytes) -> "JobEvent":
        """The reverse of `to_line`.

        Raises pydantic's ValidationError for a line that is no event (a newer service's unknown type, say).
        """
        fields = _json.validate_json(line)
        return cls.model_validate(fields | {"body": fields})


_json: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])
