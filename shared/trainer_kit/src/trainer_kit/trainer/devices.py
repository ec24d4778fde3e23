"""Choice of the devices that a training runs on. The caller gives the numbers that its library sees."""

from collections.abc import Sequence

from trainer_kit.devices import device_count_error
from trainer_kit.trainer.errors import TrainingError
from vision_contracts import EndReason


def resolve_device(requested: str, *, cuda_devices: int, has_mps: bool, gpu: int = 0) -> str:
    """Return `cpu`, `mps` or `cuda:N` for the `device` of a job; `auto` takes the fastest that is present.

    `gpu` is the number of the CUDA device that `auto` and `cuda` mean, so that concurrent jobs do not share one.

    Raises TrainingError with `bad_hyperparameters` for a device that this machine does not have.
    """
    present = [*(f"cuda:{index}" for index in range(cuda_devices)), *(["mps"] if has_mps else []), "cpu"]
    reserved = f"cuda:{gpu if gpu < cuda_devices else 0}"
    device = {"auto": reserved if cuda_devices else present[0], "cuda": reserved}.get(requested, requested)
    if device in present:
        return device
    raise TrainingError(
        EndReason.BAD_HYPERPARAMETERS,
        f"The device {requested!r} is not on this machine, which has {', '.join(present)}. "
        f"Choose one of these, or `auto`.",
    )


def resolve_world_devices(requested: str, *, cuda_devices: int, gpus: Sequence[int], size: int) -> list[str]:
    """Return `cpu` or `cuda:N` for each of the `size` processes that train together, on the `gpus` reserved for them.

    Raises TrainingError with `bad_hyperparameters` if the machine does not have as many.
    """
    if error := device_count_error(requested, size, gpus=cuda_devices):
        raise TrainingError(EndReason.BAD_HYPERPARAMETERS, f"num_devices: {error}")
    if requested == "cpu":
        return [requested] * size
    numbers = gpus if len(gpus) == size and max(gpus) < cuda_devices else range(size)
    return [f"cuda:{gpu}" for gpu in numbers]
