"""One attempt of a job as its entry point sees it: the inputs, and methods to report progress and results."""

import math
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel

from trainer_kit.attempt_folder import OUTBOX, STOP_FILE
from trainer_kit.trainer.devices import resolve_device, resolve_world_devices
from trainer_kit.trainer.messages import FileReport, Message
from trainer_kit.trainer.world import World
from vision_contracts import ArtifactKind, Finished, JobSpec, Log, LogLevel, ModelCard

MAX_FILES_IN_OUTBOX = 4
"""One that is being uploaded, the best and the newest checkpoint that wait, and one more."""

STATE_PREFIX = ".state-"
"""Prefix of a file that belongs to another one in the outbox, and is removed with it."""

H = TypeVar("H", bound=BaseModel)


@dataclass(kw_only=True)
class AttemptRun(Generic[H]):
    """One attempt, inside the trainer process. The working directory is `folder`."""

    spec: JobSpec
    card: ModelCard
    hyperparameters: H
    folder: Path
    send: Callable[[Message], None]
    """Sends a message to the runner; blocks only while the socket is full."""
    gpus: Sequence[int] = (0,)
    """Numbers of the CUDA devices that are reserved for this attempt."""
    world: World = field(default_factory=World)
    clock: Callable[[], float] = time.monotonic

    def choose_device(self, *, cuda_devices: int, has_mps: bool) -> str:
        """Return the device of this process, `cpu`, `mps` or `cuda:N`, from the job's `device` and from the devices
        that the library sees on this machine.

        Raises TrainingError with `bad_hyperparameters` for devices that this machine does not have.
        """
        return self.choose_devices(cuda_devices=cuda_devices, has_mps=has_mps)[self.world.rank]

    def choose_devices(self, *, cuda_devices: int, has_mps: bool) -> list[str]:
        """Return the device of each process that trains, by rank. Raises as `choose_device`."""
        requested, size = self.spec.params.device, self.spec.params.num_devices
        if size > 1:
            return resolve_world_devices(requested, cuda_devices=cuda_devices, gpus=self.gpus, size=size)
        return [resolve_device(requested, cuda_devices=cuda_devices, has_mps=has_mps, gpu=self.gpus[0])]

    @property
    def device_batch_size(self) -> int | None:
        """Largest number of images in a batch of this process; None for an operation, which does not train."""
        return None

    def save_artifact(self, path: Path, *, name: str, kind: ArtifactKind, step: int | None = None) -> None:
        """Publish a copy of a complete file as the artifact `name`, such as `plots/confusion_matrix.png`."""
        copy = self._copy_to_outbox(path)
        self.send(FileReport(name=name, kind=kind, path=str(copy.relative_to(self.folder)), step=step))

    def log(self, message: str, level: LogLevel = LogLevel.INFO) -> None:
        """Write a message to the job's log."""
        self.send(Log(level=level, message=message))

    def stop_requested(self) -> bool:
        """Return whether the attempt is to be stopped or paused. Call it after every step; if it is true, save a
        checkpoint within a few seconds and raise `Stopped`.
        """
        return (self.folder / STOP_FILE).exists()

    def report_finished(self, values: Mapping[str, float]) -> None:
        """Report success. `values` are the metrics of the result; after a training, of the best checkpoint."""
        self.send(Finished(values=finite(values)))

    def _copy_to_outbox(self, path: Path) -> Path:
        """Copy a file for the runner, which uploads and removes the copy. (A hard link would change with a trainer that
        writes in place.)

        Waits while the outbox is full, so that checkpoints cannot fill the disk; but not once a stop is requested,
        since few files follow.
        """
        outbox = self.folder / OUTBOX
        outbox.mkdir(exist_ok=True)
        while _count_files(outbox) >= MAX_FILES_IN_OUTBOX and not self.stop_requested():
            time.sleep(0.05)
        name = f"{time.monotonic_ns()}-{path.name}"
        partial = outbox / f".{name}"
        shutil.copyfile(path, partial)
        return partial.rename(outbox / name)


def _count_files(outbox: Path) -> int:
    """Number of the complete files in the outbox."""
    return sum(not name.startswith(".") for name in os.listdir(outbox))


def finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """Convert numbers for the wire, which has null for NaN and infinity."""
    return {name: float(value) if math.isfinite(value) else None for name, value in values.items()}
