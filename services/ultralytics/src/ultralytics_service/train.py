"""One training, from top to bottom."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from logging import Handler, LogRecord

from trainer_kit.trainer import TrainingError, TrainingRun, write_final_report
from ultralytics_service.architectures import find_architecture
from ultralytics_service.best_model import BestModel
from ultralytics_service.build import library_arguments
from ultralytics_service.checkpoint import read_checkpoint
from ultralytics_service.config import CommonHyperparameters
from ultralytics_service.data import lay_out
from ultralytics_service.initial_weights import find_weights
from ultralytics_service.library import LOGGER, torch
from ultralytics_service.trainer import JOBS
from vision_contracts import EndReason, LogLevel


def train(run: TrainingRun[CommonHyperparameters]) -> None:
    """Trains one job to its end, its stop or its error."""
    forward_warnings(run)
    device = run.choose_device(cuda_devices=torch.cuda.device_count(), has_mps=torch.backends.mps.is_available())
    architecture = find_architecture(run.spec.model_name)
    resume_from = read_checkpoint(run.resume_from) if run.resume_from else None
    source = None if resume_from else find_weights(run)
    data = lay_out(run.dataset, architecture.kind, run.folder / "data")
    arguments = library_arguments(run, device=device, data=str(data))
    with library_errors():
        trainer = JOBS[architecture.kind](run, architecture, source, resume_from, arguments)
        run.world.join(torch, trainer.device)
        if resume_from and resume_from.epoch >= run.spec.params.epochs:
            trainer.set_up()  # the attempt was lost after its last epoch, before it could say so
        else:
            trainer.train()
    if run.world.is_main:
        run.draws_pictures = run.hyperparameters.plots
        write_final_report(run, partial(BestModel, trainer))
        run.finish()


def forward_warnings(run: TrainingRun[CommonHyperparameters]) -> None:
    """What the library warns of belongs into the job's log; the rest of its output is for a terminal."""

    class Forward(Handler):
        def emit(self, record: LogRecord) -> None:
            run.log(record.getMessage(), LogLevel(record.levelname.lower()))

    LOGGER.handlers[:] = [Forward(level="WARNING")]
    LOGGER.setLevel("WARNING")


@contextmanager
def library_errors() -> Iterator[None]:
    """Gives a reason to what the library only words."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        text = str(error)
        if "not enough memory" in text:
            raise MemoryError(text) from error
        if "froze the entire model" in text or "BatchNorm" in text or "Expected more than 1 value" in text:
            raise TrainingError(EndReason.BAD_HYPERPARAMETERS, text) from error
        raise
