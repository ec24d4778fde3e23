"""The result of a trial, and the file of results."""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ValidationError

from vision_contracts import TaskType


class Outcome(StrEnum):
    """Outcome of a trial."""

    TRAINED = "trained"
    META_ONLY = "meta_only"
    """Too large for this machine: built without memory for its weights, and its parameters counted."""
    REFUSED = "refused"
    """The trainer gave a reason why it cannot train this card (TrainingError)."""
    FAILED = "failed"


class Result(BaseModel):
    """Result of the trial of one card in one of its tasks."""

    framework_version: str
    model_name: str
    task_type: TaskType
    outcome: Outcome
    params: int
    reason: str = ""
    image_size: int | None = None
    """Side in pixels of the images that it was trained on; None if the size cannot be chosen."""
    train_loss: float | None = None
    seconds: float = 0.0
    peak_bytes: int = 0

    @property
    def key(self) -> tuple[str, TaskType]:
        return self.model_name, self.task_type


def read_results(path: Path) -> dict[tuple[str, TaskType], Result]:
    """Return the newest result of each card and task. Incomplete lines, which a kill leaves, are ignored."""
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
    """Append results to the file. Call it after every trial, so that a kill loses only the trials that run."""
    with path.open("a") as file:
        # The line break in front separates this line from an incomplete one.
        file.writelines(f"\n{result.model_dump_json()}\n" for result in results)
