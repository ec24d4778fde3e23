"""Parameters and multiply-adds of an architecture, found by building it in its default configuration."""

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel
from transformers.initialization import no_init_weights

from huggingface_service.architectures import Architecture
from huggingface_service.model import build_model
from huggingface_service.model_inputs import model_inputs
from vision_contracts import TaskType


def count_parameters(architecture: Architecture, task: TaskType) -> int:
    """Count the parameters of the model with the head that its configuration has, without memory for them."""
    return _without_memory(architecture, task).num_parameters()


def count_gmacs(architecture: Architecture, task: TaskType) -> float:
    """Count the multiply-adds for one image of its input size, in billions.

    Shapes tell it without memory or time; only a model that looks into values on its way has to compute.
    """
    side = architecture.native_size(task)
    try:
        with torch.device("meta"):
            return _measure(_without_memory(architecture, task), side)
    except RuntimeError:  # "cannot be called on meta tensors", in several forms
        return _measure(build_model(architecture.default_config(task), task), side)


def _without_memory(architecture: Architecture, task: TaskType) -> PreTrainedModel:
    with torch.device("meta"), no_init_weights():
        return build_model(architecture.default_config(task), task)


def _measure(model: PreTrainedModel, side: int) -> float:
    counter = FlopCounterMode(display=False)
    with counter:
        model.eval().requires_grad_(requires_grad=False)(**model_inputs(model, torch.zeros(1, 3, side, side)))
    return round(counter.get_total_flops() / 2e9, 3)
