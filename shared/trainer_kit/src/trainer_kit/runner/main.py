"""The runner process: takes the attempt's lock, and supervises the attempt until it has ended."""

import argparse
import logging
from pathlib import Path

import psutil

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.event_log import EventLog
from trainer_kit.file_lock import FileLock
from trainer_kit.logs import configure_logging
from trainer_kit.runner.recovery import end_attempt
from trainer_kit.runner.runner import Runner, pause_on_sigterm
from trainer_kit.runner.trainer_process import StartTrainer, spawn_trainer
from trainer_kit.settings import RunnerSettings

LOCK_SECONDS = 5.0

log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None, *, start_trainer: StartTrainer = spawn_trainer) -> int:
    """Run the process. Exit code 0 once the attempt has its terminal event, 1 if another runner holds it."""
    parser = argparse.ArgumentParser(prog="trainer_kit.runner", description="Runs one attempt of one job.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--adapter", required=True)
    options = parser.parse_args(arguments)
    settings = RunnerSettings()
    folder = AttemptFolder(options.folder.resolve())
    configure_logging(settings.log_format, folder.read_spec().request_id)
    lock = FileLock(folder.lock_file)
    if not lock.acquire(timeout_seconds=LOCK_SECONDS):
        log.error("another runner holds %s", folder.path)
        return 1
    folder.remember_process("runner", psutil.Process())
    pause_on_sigterm(folder)
    run_attempt(folder, options.adapter, settings, start_trainer)
    return 0


def run_attempt(folder: AttemptFolder, adapter: str, settings: RunnerSettings, start_trainer: StartTrainer) -> None:
    """Run the attempt; one that was begun before is ended, never trained twice. Needs the attempt's lock."""
    events = EventLog(folder.events_file, folder.attempt)
    try:
        if events.last_seq == 0 and folder.find_process("trainer") is None:
            Runner(folder, adapter, settings, events, start_trainer).run()
            return
    finally:
        events.close()
    end_attempt(folder)
