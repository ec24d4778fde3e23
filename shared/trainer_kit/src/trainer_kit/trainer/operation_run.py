"""What an entry point of a work works with: what a finished training is to be used for, and whom to tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_kit import Dataset
from trainer_kit.trainer.attempt_run import AttemptRun, H
from trainer_kit.trainer.errors import Stopped
from vision_contracts import Progress, Started


@dataclass(kw_only=True)
class OperationRun(AttemptRun[H]):
    """One attempt of a work; `spec.work` says what to do. A short one: it has no checkpoint of its own, and what loses
    it begins again.
    """

    checkpoint: Path
    """A local copy of the checkpoint that it is about."""
    dataset: Dataset | None = None
    """None for a prediction."""
    images: Sequence[Path] = ()
    """Local copies of the images of a prediction, in their order. Nobody has looked at them yet."""

    def start(self, *, device: str, num_classes: int, versions: Mapping[str, str]) -> None:
        """Everything is loaded: the work begins."""
        self.send(Started(resume_step=0, device=device, versions=dict(versions), num_classes=num_classes))

    def report(self, done: int, of: int) -> None:
        """`done` of so many images are done. Raises Stopped where a user wants an end."""
        self.send(Progress(epoch=0, epochs=1, step=done, steps=of))
        if self.stop_requested():
            raise Stopped
