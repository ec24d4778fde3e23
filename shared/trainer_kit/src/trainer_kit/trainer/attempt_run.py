"""What every kind of work knows of its attempt, and how it tells of it."""

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
"""One on its way, the best and the newest checkpoint that wait, and one more."""

H = TypeVar("H", bound=BaseModel)


@dataclass(kw_only=True)
class AttemptRun(Generic[H]):
    """One attempt, seen from inside the trainer process. Its working directory is `folder`."""

    spec: JobSpec
    card: ModelCard
    hyperparameters: H
    folder: Path
    send: Callable[[Message], None]
    """Gives a message to the runner; blocks only while the pipe is full."""
    gpus: Sequence[int] = (0,)
    """Numbers of the CUDA devices that are meant for this attempt."""
    world: World = field(default_factory=World)
    clock: Callable[[], float] = time.monotonic

    def choose_device(self, *, cuda_devices: int, has_mps: bool) -> str:
        """`cpu`, `mps` or `cuda:N` for this process, from what the job asks for and what the library sees on this
        machine.

        Raises TrainingError with `bad_hyperparameters` for devices that are not there.
        """
        return self.choose_devices(cuda_devices=cuda_devices, has_mps=has_mps)[self.world.rank]

    def choose_devices(self, *, cuda_devices: int, has_mps: bool) -> list[str]:
        """As `choose_device`, for each process that trains."""
        requested, size = self.spec.params.device, self.spec.params.num_devices
        if size > 1:
            return resolve_world_devices(requested, cuda_devices=cuda_devices, gpus=self.gpus, size=size)
        return [resolve_device(requested, cuda_devices=cuda_devices, has_mps=has_mps, gpu=self.gpus[0])]

    @property
    def device_batch_size(self) -> int | None:
        """How many images this process computes with at once, at most. None where nothing trains."""
        return None

    def save_artifact(self, path: Path, *, name: str, kind: ArtifactKind, step: int | None = None) -> None:
        """Hands over a file under `name`, such as `plots/confusion_matrix.png`."""
        posted = self._post(path)
        self.send(FileReport(name=name, kind=kind, path=str(posted.relative_to(self.folder)), step=step))

    def log(self, message: str, level: LogLevel = LogLevel.INFO) -> None:
        """A line for whoever follows this attempt."""
        self.send(Log(level=level, message=message))

    def stop_requested(self) -> bool:
        """Ask after every step. If so: save what can be saved in a few seconds, and raise `Stopped`."""
        return (self.folder / STOP_FILE).exists()

    def report_end(self, values: Mapping[str, float]) -> None:
        """Done. `values` are, after a training, the metrics of the best checkpoint."""
        self.send(Finished(values=finite(values)))

    def _post(self, path: Path) -> Path:
        """A copy that the runner uploads and removes. (A hard link would change under a trainer that writes in place.)

        Waits while the runner is behind, so that checkpoints cannot fill the disk; not for a stop, before which little
        is to come.
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
    """Those that are complete."""
    return sum(not name.startswith(".") for name in os.listdir(outbox))


def finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """Numbers as the wire has them: null for what is not finite."""
    return {name: float(value) if math.isfinite(value) else None for name, value in values.items()}
