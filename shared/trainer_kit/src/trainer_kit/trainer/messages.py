"""Messages from a trainer to its runner, one JSON object on each line.

Most of them are event bodies, to which the runner adds a number and a time. A file is different: the runner stores it
before it appends the event that names it.
"""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from vision_contracts import ArtifactKind, Failed, Finished, Log, Metrics, Progress, Started
from vision_contracts import Message as WireMessage


class FileReport(WireMessage):
    """A complete file below the attempt's folder, which the runner stores and then removes."""

    type: Literal["file"] = "file"
    name: str
    kind: ArtifactKind
    path: str
    state_path: str | None = Field(default=None, description="Of a checkpoint: the training state that belongs to it.")
    step: int | None = None
    epoch: int | None = None
    is_best: bool = False
    values: dict[str, float | None] = Field(default={}, description="Metrics that belong to the file.")


Message = Annotated[
    Started | Progress | Metrics | Log | Finished | Failed | FileReport,
    Field(discriminator="type"),
]

message_adapter: TypeAdapter[Message] = TypeAdapter(Message)
