"""The runner of one attempt, from its first event to its last."""

import contextlib
import logging
import signal
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass, field

from data_kit import ObjectStore, open_store
from trainer_kit.attempt_folder import AttemptFolder, StopOrder
from trainer_kit.event_log import EventLog
from trainer_kit.file_lock import FileLock
from trainer_kit.runner.background import in_background
from trainer_kit.runner.dataset_cache import DatasetCache
from trainer_kit.runner.ending import Ending, TrainerOutcome, decide_ending, stopped_ending
from trainer_kit.runner.inputs import InputFetcher
from trainer_kit.runner.memory import count_oom_kills
from trainer_kit.runner.output import OutputCapture
from trainer_kit.runner.recovery import append_ending
from trainer_kit.runner.stopping import Escalation, StopMonitor
from trainer_kit.runner.trainer_process import StartTrainer, TrainerProcess, remember_trainer, spawn_trainer
from trainer_kit.runner.uploads import Uploader
from trainer_kit.settings import RunnerSettings
from trainer_kit.trainer.failures import describe_failure
from trainer_kit.trainer.main import TrainerInputs
from trainer_kit.trainer.messages import FileReport, message_adapter
from vision_contracts import ArtifactKind, EndReason, Failed, Finished, JobSpec, Log, LogLevel

POLL_SECONDS = 0.05
PIPE_END_SECONDS = 5.0
UPLOAD_SECONDS = 120.0
UPLOAD_SECONDS_WHEN_STOPPED = 30.0

log = logging.getLogger(__name__)


@dataclass
class Runner:
    """Runs one attempt: fetches its inputs, starts, stops and reaps its trainer, stores its files.

    It is the only writer of the attempt's events while it lives.
    """

    folder: AttemptFolder
    adapter: str
    settings: RunnerSettings
    events: EventLog
    start_trainer: StartTrainer = spawn_trainer
    _spec: JobSpec = field(init=False)
    _stop_monitor: StopMonitor = field(init=False)
    _reported: Finished | Failed | None = field(init=False, default=None)
    _dataset_lock: FileLock | None = field(init=False, default=None)
    """Held until this process ends, so that the data set is not removed from the cache meanwhile."""

    def run(self) -> None:
        """Run the attempt until its terminal event is written."""
        try:
            ending = self._run()
        except Exception as error:
            log.exception("the attempt has failed in its runner")
            ending = describe_failure(error, self.folder.path)
        append_ending(self.events, ending)
        log.info("the attempt has ended: %s", ending.type)

    def _run(self) -> Ending:
        self._spec = self.folder.read_spec()
        self._stop_monitor = StopMonitor(self.folder, self._spec.timeout_seconds, time.monotonic)
        store = open_store(self.settings.storage_url)
        inputs = self._fetch(store)
        if isinstance(inputs, StopOrder):
            return stopped_ending(inputs)
        uploader = Uploader(store, self._spec.output_uri, self.folder, self.events.append)
        outcome = self._train(inputs, uploader)
        return self._store_remaining(uploader, decide_ending(outcome), outcome.stop)

    def _fetch(self, store: ObjectStore) -> TrainerInputs | StopOrder:
        """Fetch the inputs; abandoned, with the order to stop as result, if one comes first."""
        cache = DatasetCache(self.settings.dataset_cache_dir, self.settings.dataset_cache_bytes)
        fetcher = InputFetcher(self.folder, store, cache)
        fetched = in_background(lambda: fetcher.fetch(self.adapter, self._spec), "fetch")
        while True:
            if (order := self._stop_monitor.order()) is not None:
                return order
            if wait([fetched], timeout=POLL_SECONDS).done:
                self._dataset_lock = fetcher.dataset_lock
                return fetched.result()

    def _train(self, inputs: TrainerInputs, uploader: Uploader) -> TrainerOutcome:
        """Run the trainer until all of its processes have ended."""
        oom_kills = count_oom_kills()
        output = OutputCapture(self.folder.output_log, self.events.append, time.monotonic)
        trainer = self.start_trainer(self.folder, inputs)
        remember_trainer(self.folder, trainer)
        readers: list[Future[None]] = [
            in_background(lambda: self._read_messages(trainer, uploader), "messages"),
            in_background(lambda: output.read(trainer.output), "output"),
        ]
        escalation = Escalation(time.monotonic)
        try:
            while trainer.is_running():
                self._raise_errors(readers, uploader)
                if (order := self._stop_monitor.order()) and (due := escalation.due_signal(order)):
                    trainer.send_signal(due)
                time.sleep(POLL_SECONDS)
        finally:
            exit_code = trainer.reap()
        if wait(readers, timeout=PIPE_END_SECONDS).not_done:
            log.warning("a process that has left the trainer's group keeps its output open")
        self._raise_errors(readers, uploader)
        return TrainerOutcome(
            exit_code=exit_code,
            reported=self._reported,
            stop=self.folder.read_stop(),
            used_force=escalation.has_used_force,
            oom_kills=count_oom_kills() - oom_kills,
            last_lines=tuple(output.last_lines),
            batch_size=self._spec.params.batch_size,
        )

    def _read_messages(self, trainer: TrainerProcess, uploader: Uploader) -> None:
        for line in _until_reset(trainer.messages):
            if not line.endswith(b"\n"):
                return  # the trainer was killed while it wrote this line
            message = message_adapter.validate_json(line)
            match message:
                case FileReport():
                    uploader.submit(message)
                case Finished() | Failed():
                    self._reported = message
                case _:
                    self.events.append(message)

    def _raise_errors(self, readers: list["Future[None]"], uploader: Uploader) -> None:
        """Raise the error of a reader or the uploader: an attempt whose events or files are lost must end."""
        for reader in readers:
            if reader.done() and (error := reader.exception()) is not None:
                raise error
        if uploader.failure is not None:
            raise uploader.failure

    def _store_remaining(self, uploader: Uploader, ending: Ending, stop: StopOrder | None) -> Ending:
        """Store all remaining files, which must precede the terminal event. Returns the ending after that."""
        if stop is not None and stop.mode == "kill":
            uploader.close(0)
            return ending
        if self.folder.output_log.stat().st_size:
            uploader.submit(FileReport(name="logs/output.log", kind=ArtifactKind.LOG, path="output.log"))
        error = uploader.close(UPLOAD_SECONDS if stop is None else UPLOAD_SECONDS_WHEN_STOPPED)
        if error is None:
            return ending
        self.events.append(Log(level=LogLevel.ERROR, message=f"Not every file could be stored: {error}"))
        if not isinstance(ending, Finished):
            return ending
        failure = describe_failure(error, self.folder.path)
        if failure.reason.is_unexplained:
            reason = EndReason.STORAGE_UNAVAILABLE
            message = f"The work is done, but its files could not be stored ({error}). {reason.advice}"
            return Failed(reason=reason, message=message)
        return failure


def _until_reset(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines until the channel ends, or is reset by a trainer that was killed before it read its inputs."""
    with contextlib.suppress(ConnectionResetError):
        yield from lines


def pause_on_sigterm(folder: AttemptFolder) -> None:
    """Pause the attempt on SIGTERM, which a shutdown of the machine sends: it can be resumed elsewhere."""

    def order_pause(_number: int, _frame: object) -> None:
        folder.order_stop(StopOrder(attempt=folder.attempt, mode="pause"))

    signal.signal(signal.SIGTERM, order_pause)
