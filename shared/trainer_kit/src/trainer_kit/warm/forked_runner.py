"""A runner that is forked from the warm parent. It must become the same as a fresh one."""

import os
import socket
import traceback
from typing import NoReturn

from setproctitle import setproctitle

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.runner import main as runner
from trainer_kit.trainer.exiting import exit_now
from trainer_kit.warm.requests import RunnerRequest
from trainer_kit.warm.waiting_trainer import WaitingTrainer


def run_forked(request: RunnerRequest, lifeline: socket.socket, adapter_path: str) -> NoReturn:
    """Run the attempt, and end the process, which ends its lifeline."""
    code = 1
    try:
        os.setsid()
        _redirect_output(AttemptFolder(request.folder))
        os.chdir(request.working_dir)
        setproctitle(f"runner: {AttemptFolder(request.folder)}")
        # Before there is a thread, a lock or a credential in this process that the trainer would inherit.
        trainer = WaitingTrainer.fork(close_in_child=[lifeline])
        os.environ.update(request.storage_environment)
        code = runner.main([str(request.folder), "--adapter", adapter_path], start_trainer=trainer.start)
    except BaseException:  # noqa: BLE001 - nothing may get back into the parent's loop
        traceback.print_exc()
    finally:
        exit_now(code)


def _redirect_output(folder: AttemptFolder) -> None:
    """Redirect output to the attempt's runner log. Raises FileNotFoundError if the attempt was deleted."""
    log = os.open(folder.runner_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
