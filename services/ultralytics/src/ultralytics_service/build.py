"""The library's trainer for one job, with the job in the words of the library's configuration."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from trainer_kit.trainer import TrainingError, TrainingRun
from ultralytics_service.architectures import find_architecture
from ultralytics_service.checkpoint import Checkpoint
from ultralytics_service.config import CommonHyperparameters
from ultralytics_service.data import lay_out
from ultralytics_service.loader import usable_workers
from ultralytics_service.optimization import optimization_arguments
from ultralytics_service.trainer import TRAINERS, JobMixin
from ultralytics_service.weights import find_initial_weights
from vision_contracts import EndReason

LIBRARY_NAMES = {
    "final_lr": "lrf",
    "horizontal_flip": "fliplr",
    "vertical_flip": "flipud",
    "rotation": "degrees",
    "mixed_precision": "amp",
    "drop_rate": "dropout",
    "random_erasing": "erasing",
}
"""Settings that every framework has, as the library calls them."""

_PASSED_OTHERWISE = {"image_size", "cache", "auto_augment", "workers", "scheduler", "warmup"}


def build(run: TrainingRun[CommonHyperparameters], device: str, resume_from: Checkpoint | None) -> JobMixin:
    """Lay out the data set, find the initial weights and make the library's trainer of them.

    Raises TrainingError for data, weights and settings that cannot be trained with.
    """
    architecture = find_architecture(run.spec.model_name)
    source = None if resume_from else find_initial_weights(run)
    data = lay_out(run.dataset, architecture.kind, run.folder / "data")
    arguments = library_arguments(run, device=device, data=str(data))
    with library_errors():
        return TRAINERS[architecture.kind](run, architecture, source, resume_from, arguments)


@contextmanager
def library_errors() -> Iterator[None]:
    """Turn errors of the library into errors with a reason, by their texts."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        text = str(error)
        if "not enough memory" in text:
            raise MemoryError(text) from error
        if "froze the entire model" in text or "BatchNorm" in text or "Expected more than 1 value" in text:
            raise TrainingError(EndReason.BAD_HYPERPARAMETERS, text) from error
        raise


def library_arguments(run: TrainingRun[CommonHyperparameters], *, device: str, data: str) -> dict[str, Any]:
    """All that differs from the library's defaults. The image size is set later, when the network is known."""
    params, hyperparameters = run.spec.params, run.hyperparameters
    settings = hyperparameters.model_dump(exclude=_PASSED_OTHERWISE)
    arguments = (
        {LIBRARY_NAMES.get(name, name): value for name, value in settings.items()}
        | optimization_arguments(params, hyperparameters)
        | {
            "model": f"{run.spec.model_name}.yaml",
            "data": data,
            "save_dir": str(run.folder / "library"),
            "device": device.removeprefix("cuda:"),
            "epochs": params.epochs,
            "batch": params.batch_size,
            "seed": params.seed % 2**31,
            "pretrained": run.spec.initial_weights != "scratch",
            "cache": hyperparameters.cache == "ram",
            "plots": False,  # the kit draws them, for every framework alike
            "workers": usable_workers(hyperparameters.workers, processes=run.world.size),
        }
    )
    if (policy := getattr(hyperparameters, "auto_augment", None)) is not None:
        arguments["auto_augment"] = None if policy == "none" else policy
    if arguments["workers"] < hyperparameters.workers:
        run.log("Images are loaded without processes of their own: /dev/shm is too small for them.")
    return arguments
