"""The side of the square that images are resized to."""

from huggingface_service.architectures import MIN_SIZES, Architecture
from huggingface_service.checkpoint import Checkpoint
from huggingface_service.config import Hyperparameters
from trainer_kit.trainer import TrainingRun


def choose_image_size(
    run: TrainingRun[Hyperparameters], architecture: Architecture, initial: Checkpoint | None = None
) -> int:
    """Return the requested side, or for `auto` one that suits data and weights, as the architecture takes it."""
    wanted = run.hyperparameters.image_size
    size = _automatic_size(run, architecture, initial) if wanted == "auto" else wanted
    fitting = size if size == architecture.native_size(run.spec.task_type) else architecture.fitting_size(size)
    if wanted not in ("auto", fitting):
        run.log(
            f"Images are {fitting} px instead of {wanted} px: {architecture.name} takes multiples of "
            f"{architecture.size_step} px."
        )
    return fitting


def _automatic_size(run: TrainingRun[Hyperparameters], architecture: Architecture, initial: Checkpoint | None) -> int:
    """Return the side that the weights were trained with; without weights, that of the images."""
    task = run.spec.task_type
    native = architecture.native_size(task)
    if initial is not None and initial.model_name == architecture.name:
        return initial.image_size
    if run.spec.initial_weights != "scratch":
        return native
    longest = max(max(sample.width, sample.height) for sample in run.dataset["train"])
    return min(native, max(longest, MIN_SIZES[task]))
