"""A real trainer process without a runner, for tests that need separate processes."""

import signal
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.runner.background import in_background
from trainer_kit.runner.trainer_process import spawn_trainer
from trainer_kit.testing.waiting import wait_until
from trainer_kit.trainer.main import TrainerInputs
from trainer_kit.trainer.messages import FileReport, Message, message_adapter
from vision_contracts import ArtifactKind, Failed, JobSpec, Metrics

M = TypeVar("M", bound=Message)


@dataclass
class StandaloneTrainer:
    """One attempt in a folder below `root`, with all its messages. Checkpoints are kept as `step-N`."""

    root: Path
    spec: JobSpec
    inputs: TrainerInputs
    watch: Callable[["StandaloneTrainer", Message], None] = lambda _trainer, _message: None
    messages: list[Message] = field(default_factory=list[Message])
    exit_code: int | None = None
    output: str = ""
    process: psutil.Process = field(init=False)

    @property
    def folder(self) -> AttemptFolder:
        return AttemptFolder.at(self.root, self.spec.job_uid, self.spec.attempt)

    def run(self) -> "StandaloneTrainer":
        """Run the trainer until it has ended."""
        self.folder.path.mkdir(parents=True)
        self.folder.spec_file.write_text(self.spec.model_dump_json())
        trainer = spawn_trainer(self.folder, self.inputs)
        self.process = psutil.Process(trainer.pid)
        output = in_background(trainer.output.read, "output")
        with closing(trainer.messages), closing(trainer.output):
            try:
                for line in trainer.messages:
                    self._receive(message_adapter.validate_json(line))
            finally:
                self.exit_code = trainer.reap()
                self.output = output.result(timeout=10).decode()
        return self

    def _receive(self, message: Message) -> None:
        self.messages.append(message)
        if isinstance(message, FileReport):
            file = self.folder.path / message.path
            is_checkpoint = message.kind is ArtifactKind.CHECKPOINT
            file.rename(self.checkpoint(message.step)) if is_checkpoint else file.unlink()
            if message.state_path is not None:
                (self.folder.path / message.state_path).rename(state_of(self.checkpoint(message.step)))
        self.watch(self, message)

    def stop(self) -> None:
        """Request a stop, as the runner does."""
        (self.folder.path / "stop.json").write_text('{"attempt": 1, "mode": "stop"}')

    def checkpoint(self, step: int | None) -> Path:
        return self.folder.path / f"step-{step}"

    def messages_of(self, kind: type[M]) -> list[M]:
        return [message for message in self.messages if isinstance(message, kind)]

    def series(self, name: str) -> dict[int, float | None]:
        """Value by step."""
        return {metrics.step: metrics.values[name] for metrics in self.messages_of(Metrics) if name in metrics.values}

    @property
    def failure(self) -> Failed:
        """The reported failure. Raises ValueError if there is none."""
        [failure] = self.messages_of(Failed)
        return failure


def state_of(checkpoint: Path) -> Path:
    """Return where the training state of a checkpoint is kept."""
    return checkpoint.with_suffix(".state")


def stop_at(step: int) -> Callable[[StandaloneTrainer, Message], None]:
    """Return a watcher that stops the training after a step."""

    def watch(trainer: StandaloneTrainer, message: Message) -> None:
        if isinstance(message, Metrics) and message.step == step:
            trainer.stop()

    return watch


@dataclass
class KillAt:
    """A watcher that kills one of the two processes of a training after a step."""

    step: int
    rank: int
    processes: list[psutil.Process] = field(default_factory=list[psutil.Process])
    killed_at: float = 0.0

    def __call__(self, trainer: StandaloneTrainer, message: Message) -> None:
        """Receive every message of the training."""
        if isinstance(message, Metrics) and message.step == self.step:
            self.processes = [trainer.process, *trainer.process.children()]
            self.killed_at = time.monotonic()
            self.processes[self.rank].send_signal(signal.SIGKILL)

    def check(self, killed: StandaloneTrainer) -> None:
        """Check that both processes ended within seconds, and that the failure is left to the runner."""
        assert len(self.processes) == 2
        assert killed.exit_code == -signal.SIGKILL
        assert killed.messages[-1].type != "failed"
        assert time.monotonic() - self.killed_at < 5
        assert self.rank == 0 or f"Process {self.rank} of this training was killed by SIGKILL" in killed.output
        wait_until(lambda: not self.processes[1].is_running(), "the end of the other process", timeout_seconds=5)
