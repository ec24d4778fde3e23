"""What a trainer tells its runner through the pipe: one JSON object a line.

Most messages are event bodies that the runner only numbers and dates. A file is different: the runner stores it
completely before it appends the event that names it.
"""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from vision_contracts import ArtifactKind, Failed, Finished, Log, Metrics, Progress, Started
from vision_contracts import Message as WireMessage


class FileReport(WireMessage):
    """A complete file in the attempt's folder, for the runner to store and then remove."""

    type: Literal["file"] = "file"
    name: str
    kind: ArtifactKind
    path: str
    step: int | None = None
    epoch: int | None = None
    is_best: bool = False
    values: dict[str, float | None] = Field(default={}, description="Metrics that belong to the file.")


Message = Annotated[
    Started | Progress | Metrics | Log | Finished | Failed | FileReport,
    Field(discriminator="type"),
]

message_adapter: TypeAdapter[Message] = TypeAdapter(Message)
