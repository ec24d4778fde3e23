"""Recovery of an attempt whose runner is dead."""

import contextlib

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.event_log import EventLog
from trainer_kit.file_lock import FileLock
from trainer_kit.runner.ending import Ending, stopped_ending
from trainer_kit.runner.trainer_process import kill_leftovers
from vision_contracts import EndReason, Failed, Log, LogLevel


def recover_attempt(folder: AttemptFolder) -> bool:
    """Kill its remaining processes, and write the terminal event that the runner could not write.

    Returns False if a runner holds the attempt after all. A recovery that is killed is repeated by the next one.
    """
    lock = FileLock(folder.lock_file)
    if not lock.acquire():
        return False
    try:
        end_attempt(folder)
    finally:
        lock.release()
    return True


def end_attempt(folder: AttemptFolder) -> None:
    """End the attempt, as `recover_attempt` does. Needs the attempt's lock."""
    kill_leftovers(folder)
    log = EventLog(folder.events_file, folder.attempt)
    try:
        append_ending(log, _ending(folder))
    finally:
        log.close()


def append_ending(events: EventLog, ending: Ending) -> None:
    """Append the terminal event, and the reason of a failure to the log, too."""
    if isinstance(ending, Failed):
        with contextlib.suppress(OSError):  # a full disk: only the terminal event has reserved space
            events.append(Log(level=LogLevel.ERROR, message=ending.message))
    events.append(ending)


def _ending(folder: AttemptFolder) -> Ending:
    order = folder.read_stop()
    if order is not None:
        return stopped_ending(order)
    message = "The process that supervises the training was killed, or its machine was restarted."
    return Failed(reason=EndReason.TRAINER_KILLED, message=message)
