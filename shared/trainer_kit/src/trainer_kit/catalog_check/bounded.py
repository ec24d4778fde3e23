"""A trial in its own process, with limits on its time and memory."""

import os
import shutil
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, Self

import psutil

from trainer_kit.catalog_check.results import Outcome, Result
from trainer_kit.catalog_check.trial import Trial, build_without_memory, train_one_step
from trainer_kit.trainer.exiting import exit_now
from vision_contracts import ModelCard

BYTES_PER_PARAMETER = 12
"""Memory of a weight, its gradient, and an averaged copy or the temporary values of a step."""
SPARE_BYTES = 1 << 30
"""Memory of the framework itself and of the images' activations."""


class BoundedTrial:
    """A trial in a child process, forked from one that has imported everything and computed nothing."""

    def __init__(self, trial: Trial, pid: int, folder: Path, memory_bytes: int, timeout_seconds: float) -> None:
        self._trial = trial
        self._pid = pid
        self._process = psutil.Process(pid)
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._started_at = time.monotonic()
        self._deadline = self._started_at + timeout_seconds
        self._peak_bytes = 0
        self._limit_exceeded: str | None = None

    @classmethod
    def starter(
        cls,
        work: Path,
        count_parameters: Callable[[ModelCard], int],
        memory_bytes: int,
        timeout_seconds: float,
    ) -> Callable[[Trial], Self]:
        """Return a function that starts a trial, each in its own folder below `work`."""
        number = 0

        def start(trial: Trial) -> Self:
            nonlocal number
            number += 1
            folder = work / str(number) / "1"
            folder.mkdir(parents=True)
            is_too_large = trial.card.params * BYTES_PER_PARAMETER + SPARE_BYTES > memory_bytes
            pid = os.fork()
            if pid == 0:
                _run(trial, folder, count_parameters if is_too_large else None)
            return cls(trial, pid, folder, memory_bytes, timeout_seconds)

        return start

    def poll(self) -> Result | None:
        """Return the result; None while the trial runs."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if pid == 0:
            self._enforce_bounds()
            return None
        result = self._read(status).model_copy(
            update={"seconds": round(time.monotonic() - self._started_at, 2), "peak_bytes": self._peak_bytes}
        )
        shutil.rmtree(self._folder.parent, ignore_errors=True)
        return result

    def kill(self) -> None:
        """End the trial without a result."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def _enforce_bounds(self) -> None:
        taken = self._process.memory_info().rss
        self._peak_bytes = max(self._peak_bytes, taken)
        if taken > self._memory_bytes:
            self._limit_exceeded = f"It took more than {self._memory_bytes / 2**30:.1f} GiB of memory."
        elif time.monotonic() > self._deadline:
            self._limit_exceeded = f"It took more than {self._deadline - self._started_at:.0f} s."
        if self._limit_exceeded:
            os.kill(self._pid, signal.SIGKILL)

    def _read(self, status: int) -> Result:
        if self._limit_exceeded:
            return self._trial.result(Outcome.FAILED, reason=self._limit_exceeded)
        try:
            return Result.model_validate_json(_result_file(self._folder).read_bytes())
        except (FileNotFoundError, ValueError):
            code = os.waitstatus_to_exitcode(status)
            return self._trial.result(
                Outcome.FAILED, reason=f"Its process ended with exit code {code} and without a result."
            )


def _run(trial: Trial, folder: Path, count_parameters: Callable[[ModelCard], int] | None) -> NoReturn:
    """Run the trial in the child process, write its result, and end the process."""
    code = 1
    try:
        log = os.open(folder.parent / "output.log", os.O_WRONLY | os.O_CREAT)
        os.dup2(log, 1)
        os.dup2(log, 2)
        result = build_without_memory(trial, count_parameters) if count_parameters else train_one_step(trial, folder)
        _result_file(folder).write_text(result.model_dump_json())
        code = 0
    except BaseException:  # noqa: BLE001 - the child must never return into the parent's loop
        traceback.print_exc()
    finally:
        exit_now(code)


def _result_file(folder: Path) -> Path:
    """Path of the result, beside the attempt's folder, which the trial empties before each image size."""
    return folder.parent / "result.json"
