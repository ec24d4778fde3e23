"""Charts that cost little and need no font."""

from trainer_kit.trainer import TrainingRun
from ultralytics_service.config import CommonHyperparameters
from ultralytics_service.job_trainer import JobMixin
from vision_contracts import ArtifactKind

_CHARTS = ("results.png", "confusion_matrix.png", "confusion_matrix_normalized.png")


def save_plots(run: TrainingRun[CommonHyperparameters], trainer: JobMixin) -> None:
    """The curves of all epochs of this attempt, and the confusion matrix of the last validation."""
    for name in _CHARTS:
        if (chart := trainer.save_dir / name).is_file():
            run.save_artifact(chart, name=f"plots/{name}", kind=ArtifactKind.PLOT)
