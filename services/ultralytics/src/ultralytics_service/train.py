"""One training, from top to bottom."""

from functools import partial
from logging import Handler, LogRecord

from trainer_kit.trainer import TrainingRun, write_final_report
from ultralytics_service.best_model import BestModel
from ultralytics_service.build import build, library_errors
from ultralytics_service.checkpoint import load_checkpoint
from ultralytics_service.config import CommonHyperparameters
from ultralytics_service.devices import choose_device
from ultralytics_service.library import LOGGER, torch
from vision_contracts import LogLevel


def train(run: TrainingRun[CommonHyperparameters]) -> None:
    """Train one job; `trainer_kit.adapter.Adapter.trainer` says how it may end."""
    forward_warnings(run)
    device = choose_device(run)
    resume_from = load_checkpoint(run.resume_from, run.resume_state) if run.resume_from else None
    trainer = build(run, device, resume_from)
    with library_errors():
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
    """Send the library's warnings to the job's log; the rest of its output is for a terminal."""

    class Forward(Handler):
        def emit(self, record: LogRecord) -> None:
            run.log(record.getMessage(), LogLevel(record.levelname.lower()))

    LOGGER.handlers[:] = [Forward(level="WARNING")]
    LOGGER.setLevel("WARNING")
