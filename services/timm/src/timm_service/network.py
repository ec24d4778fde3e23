"""A trained classifier in the kit's form, for predictions, exports and evaluations."""

import math
from typing import Any

import timm
import torch
from torch import nn

from timm_service.checkpoint import load_checkpoint
from timm_service.config import Hyperparameters
from trainer_kit.inference import Description, Preprocessing, TorchNetwork
from trainer_kit.trainer import OperationRun, TrainingError
from vision_contracts import EndReason

Run = OperationRun[Hyperparameters]


class Probabilities(nn.Sequential):
    """A classifier whose output is a tuple, as the kit wants it."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__(classifier, nn.Softmax(dim=1))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        """(n, 3, side, side), normalised."""
        return (super().forward(images).float(),)


def load_network(run: Run) -> TorchNetwork:
    """Load the network, with averaged weights where there are some, as validated. Raises TrainingError."""
    content = load_checkpoint(run.checkpoint)
    try:
        weights = content["ema"] or content["model"]
        module = timm.create_model(
            content["model_name"], num_classes=len(content["class_names"]), **content["model_options"]
        )
        module.load_state_dict(weights)
        description = _describe(run, content)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise TrainingError(
            EndReason.WEIGHTS_UNAVAILABLE,
            f"The checkpoint does not hold a whole timm classifier ({type(error).__name__}). Choose another one.",
        ) from error
    device = run.choose_device(cuda_devices=torch.cuda.device_count(), has_mps=torch.backends.mps.is_available())
    return TorchNetwork(torch, Probabilities(module), module, ["probabilities"], description, device)


def _describe(run: Run, content: dict[str, Any]) -> Description:
    return Description(
        framework="timm",
        model_name=content["model_name"],
        task_type=run.spec.task_type,
        class_names=content["class_names"],
        preprocessing=preprocessing(content["data_config"]),
        versions=content["versions"],
        license=run.card.license,
    )


def preprocessing(data_config: dict[str, Any]) -> Preprocessing:
    """timm's own evaluation transform, in the words of the kit."""
    _, height, width = data_config["input_size"]
    mode = data_config.get("crop_mode") or "center"
    resized = math.floor(min(height, width) / (data_config.get("crop_pct") or 0.875))
    resize = {"squash": "squash", "border": "letterbox"}.get(mode, "shorter_side")
    return Preprocessing(
        size=(height, width),
        resize=resize,  # pyright: ignore[reportArgumentType]
        resize_to=resized,
        interpolation=data_config["interpolation"] if data_config["interpolation"] != "random" else "bilinear",
        mean=data_config["mean"],
        std=data_config["std"],
    )
