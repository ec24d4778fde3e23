"""Which device a training runs on, decided from plain facts so that no ML library is needed here."""

from collections.abc import Sequence

from trainer_kit.devices import device_count_error
from trainer_kit.trainer.errors import TrainingError
from vision_contracts import EndReason


def resolve_device(requested: str, *, cuda_devices: int, has_mps: bool, gpu: int = 0) -> str:
    """`cpu`, `mps` or `cuda:N` for what a job asks for; `auto` takes the best that is there.

    `gpu` is the number of the CUDA device that `auto` and `cuda` mean, so that jobs side by side do not share one.

    Raises TrainingError with `bad_hyperparameters` for a device that this machine does not have.
    """
    present = [*(f"cuda:{index}" for index in range(cuda_devices)), *(["mps"] if has_mps else []), "cpu"]
    meant = f"cuda:{gpu if gpu < cuda_devices else 0}"
    wanted = {"auto": meant if cuda_devices else present[0], "cuda": meant}.get(requested, requested)
    if wanted in present:
        return wanted
    raise TrainingError(
        EndReason.BAD_HYPERPARAMETERS,
        f"The device {requested!r} is not on this machine, which has {', '.join(present)}. "
        f"Choose one of these, or `auto`.",
    )


def resolve_world_devices(requested: str, *, cuda_devices: int, gpus: Sequence[int], size: int) -> list[str]:
    """`cpu` or `cuda:N` for each of the `size` processes that train together; `gpus` are meant for them.

    Raises TrainingError with `bad_hyperparameters` where the machine does not have as many.
    """
    if why_not := device_count_error(requested, size, gpus=cuda_devices):
        raise TrainingError(EndReason.BAD_HYPERPARAMETERS, f"num_devices: {why_not}")
    if requested == "cpu":
        return [requested] * size
    meant = gpus if len(gpus) == size and max(gpus) < cuda_devices else range(size)
    return [f"cuda:{gpu}" for gpu in meant]
