"""Which device a training runs on, decided from plain facts so that no ML library is needed here."""

from trainer_kit.trainer.errors import TrainingError
from vision_contracts import EndReason


def resolve_device(requested: str, *, cuda_devices: int, has_mps: bool) -> str:
    """`cpu`, `mps` or `cuda:N` for what a job asks for; `auto` takes the best that is there.

    Raises TrainingError with `bad_hyperparameters` for a device that this machine does not have.
    """
    present = [*(f"cuda:{index}" for index in range(cuda_devices)), *(["mps"] if has_mps else []), "cpu"]
    wanted = {"auto": present[0], "cuda": "cuda:0"}.get(requested, requested)
    if wanted in present:
        return wanted
    raise TrainingError(
        EndReason.BAD_HYPERPARAMETERS,
        f"The device {requested!r} is not on this machine, which has {', '.join(present)}. "
        f"Choose one of these, or `auto`.",
    )
