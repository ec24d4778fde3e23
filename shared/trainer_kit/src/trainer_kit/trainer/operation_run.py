"""The argument of an operation's entry point: the checkpoint and the inputs, and methods to report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_kit import Dataset
from trainer_kit.trainer.attempt_run import AttemptRun, H
from trainer_kit.trainer.errors import Stopped
from vision_contracts import Progress, Started


@dataclass(kw_only=True)
class OperationRun(AttemptRun[H]):
    """One attempt of an operation, whose settings are `spec.work`. It saves no checkpoints: an attempt that is lost
    starts from the beginning.
    """

    checkpoint: Path
    """Local copy of the checkpoint that it uses."""
    dataset: Dataset | None = None
    """The data set; None for a prediction."""
    images: Sequence[Path] = ()
    """Local copies of the images of a prediction, in the order of the request. They are not validated yet."""

    def start(self, *, device: str, num_classes: int, versions: Mapping[str, str]) -> None:
        """Report that everything is loaded and the operation begins."""
        self.send(Started(resume_step=0, device=device, versions=dict(versions), num_classes=num_classes))

    def report(self, done: int, of: int) -> None:
        """Report that `done` of `of` images are done. Raises Stopped if a stop is requested."""
        self.send(Progress(epoch=0, epochs=1, step=done, steps=of))
        if self.stop_requested():
            raise Stopped
