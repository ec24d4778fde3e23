"""What a trial has found, and the file that it is kept in."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ValidationError

from vision_contracts import TaskType


class Outcome(StrEnum):
    """How a trial ended."""

    TRAINED = "trained"
    META_ONLY = "meta_only"
    """Too large for this machine: built without memory for its weights, and its parameters counted."""
    REFUSED = "refused"
    """The trainer says why it cannot train this card."""
    FAILED = "failed"


class Result(BaseModel):
    """One card in one of its tasks."""

    framework_version: str
    model_name: str
    task_type: TaskType
    outcome: Outcome
    params: int
    reason: str = ""
    image_size: int | None = None
    """Of the images that it was trained on; None where it takes only its own."""
    train_loss: float | None = None
    seconds: float = 0.0
    peak_bytes: int = 0

    @property
    def key(self) -> tuple[str, TaskType]:
        return self.model_name, self.task_type


def read_results(path: Path) -> dict[tuple[str, TaskType], Result]:
    """The newest result of each card and task. A line that a kill has cut off is as if it had never been written."""
    found: dict[tuple[str, TaskType], Result] = {}
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return found
    for line in lines:
        try:
            result = Result.model_validate_json(line)
        except ValidationError:
            continue
        found[result.key] = result
    return found


def append_results(path: Path, results: Iterable[Result]) -> None:
    """At once, so that a kill loses the trials under way and no others."""
    with path.open("a") as file:
        # The empty line in between keeps a cut-off line from spoiling this one.
        file.writelines(f"\n{result.model_dump_json()}\n" for result in results)
