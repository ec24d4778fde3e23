"""A job in the words of the library's own configuration."""

from typing import Any

from trainer_kit.trainer import TrainingError, TrainingRun
from ultralytics_service.config import CommonHyperparameters
from ultralytics_service.loader import usable_workers
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


def library_arguments(run: TrainingRun[CommonHyperparameters], *, device: str, data: str) -> dict[str, Any]:
    """All that differs from the library's defaults. The image size is set later, when the network is known."""
    params, hyperparameters = run.spec.params, run.hyperparameters
    _check_limits(run)
    settings = hyperparameters.model_dump(exclude=_PASSED_OTHERWISE)
    arguments = {LIBRARY_NAMES.get(name, name): value for name, value in settings.items()} | {
        "model": f"{run.spec.model_name}.yaml",
        "data": data,
        "save_dir": str(run.folder / "library"),
        "device": device.removeprefix("cuda:"),
        "epochs": params.epochs,
        "batch": params.batch_size,
        "nbs": params.batch_size,
        "optimizer": params.optimizer,
        "lr0": params.learning_rate,
        "seed": params.seed % 2**31,
        "pretrained": run.spec.initial_weights != "scratch",
        "cos_lr": hyperparameters.scheduler == "cosine",
        "warmup_epochs": hyperparameters.warmup * params.epochs,
        "cache": hyperparameters.cache == "ram",
        "plots": False,  # the kit draws them, for every framework alike
        "workers": usable_workers(hyperparameters.workers, processes=run.world.size),
    }
    if (policy := getattr(hyperparameters, "auto_augment", None)) is not None:
        arguments["auto_augment"] = None if policy == "none" else policy
    if arguments["workers"] < hyperparameters.workers:
        run.log("Images are loaded without processes of their own: /dev/shm is too small for them.")
    return arguments


def _check_limits(run: TrainingRun[CommonHyperparameters]) -> None:
    params = run.spec.params
    if params.learning_rate > 1:
        raise TrainingError(
            EndReason.BAD_HYPERPARAMETERS,
            f"ultralytics takes learning rates up to 1, not {params.learning_rate:g}: lower learning_rate.",
        )
