"""The side of the square that images are resized to."""

from huggingface_service.architectures import MIN_SIZES, Architecture
from huggingface_service.config import Hyperparameters
from trainer_kit.trainer import TrainingRun


def choose_image_size(run: TrainingRun[Hyperparameters], architecture: Architecture) -> int:
    """What the user asked for, or what suits data and model: a multiple of what the architecture takes."""
    wanted = run.hyperparameters.image_size
    task = run.spec.task_type
    native = architecture.native_size(task)
    if wanted != "auto":
        size = wanted
    elif run.spec.initial_weights != "scratch":
        size = native
    else:
        longest = max(max(sample.width, sample.height) for sample in run.dataset["train"])
        size = min(native, max(longest, MIN_SIZES[task]))
    fitting = size if size == native else architecture.fitting_size(size)
    if wanted not in ("auto", fitting):
        run.log(
            f"Images are {fitting} px instead of {wanted} px: {architecture.name} takes multiples of "
            f"{architecture.size_step} px."
        )
    return fitting
