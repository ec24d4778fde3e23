"""A trained network in the kit's form, for predictions, exports and evaluations."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import box_convert
from transformers import PreTrainedModel

from huggingface_service.architectures import Architecture, find_architecture
from huggingface_service.checkpoint import Checkpoint, load_checkpoint
from huggingface_service.config import Hyperparameters
from huggingface_service.devices import choose_device, library_versions
from huggingface_service.model import build_model
from huggingface_service.model_inputs import model_inputs
from huggingface_service.tasks.instances import mask_confidence
from huggingface_service.trainer import silence_library
from huggingface_service.transforms import NORMALIZATIONS
from trainer_kit.evaluation import BACKGROUND, label_names
from trainer_kit.inference import Description, Preprocessing, TorchNetwork
from trainer_kit.trainer import OperationRun, TrainingError
from vision_contracts import EndReason, TaskType

Run = OperationRun[Hyperparameters]


class Outputs(nn.Module):
    """The model with outputs in the kit's form, as a tuple in the order of `names`."""

    def __init__(self, model: PreTrainedModel, task: TaskType) -> None:
        super().__init__()
        self.model, self.task = model, task
        self.names = {
            TaskType.IMAGE_CLASSIFICATION: ("probabilities",),
            TaskType.SEMANTIC_SEGMENTATION: ("scores",),
            TaskType.OBJECT_DETECTION: ("boxes", "scores"),
            TaskType.INSTANCE_SEGMENTATION: ("boxes", "scores", "coefficients", "prototypes"),
        }[task]

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """(n, 3, height, width), normalised."""
        outputs = self.model(**model_inputs(self.model, pixels))
        if self.task is TaskType.INSTANCE_SEGMENTATION:
            return instances(outputs["class_queries_logits"], outputs["masks_queries_logits"], pixels.shape[-2:])
        logits = (outputs["logits"] if "logits" in outputs else outputs["last_hidden_state"]).float()
        if self.task is TaskType.IMAGE_CLASSIFICATION:
            return (logits.softmax(-1),)
        if self.task is TaskType.SEMANTIC_SEGMENTATION:
            return (logits,)
        has_none = logits.shape[-1] == self.model.config.num_labels + 1  # the rule of `best_detections`
        scores = logits.softmax(-1)[..., :-1] if has_none else logits.sigmoid()
        height, width = pixels.shape[-2:]
        boxes = box_convert(outputs["pred_boxes"].float(), "cxcywh", "xyxy")
        return boxes * torch.tensor([width, height, width, height], device=pixels.device), scores


def instances(classes: Tensor, masks: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Boxes, scores, coefficients and prototypes: each query's mask (n, q, h, w) is a prototype of its own.

    Scores as `tasks.instances` measures them; a mask without any pixel has none.
    """
    logits = functional.interpolate(masks.float(), size=tuple(size), mode="bilinear", align_corners=False)
    inside = (logits > 0).float()
    scores = classes.float().softmax(-1)[..., :-1] * mask_confidence(logits)[..., None]  # the last class is: none
    (left, right), (top, bottom) = (_extent(inside.amax(axis)) for axis in (2, 3))
    own = torch.eye(masks.shape[1], device=masks.device).expand(masks.shape[0], -1, -1)
    return torch.stack([left, top, right, bottom], -1), scores, own, masks.float()


def _extent(seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return where the ones (…, length) begin and end; 0 and 0 where there are none."""
    length = seen.shape[-1]
    end = (seen * torch.arange(1, length + 1, device=seen.device)).amax(-1)
    begin = length - (seen * torch.arange(length, 0, -1, device=seen.device)).amax(-1)
    return begin * (end > 0), end


def load_network(run: Run) -> TorchNetwork:
    """Load the network of the checkpoint. Raises TrainingError."""
    silence_library()
    device = choose_device(run)
    try:
        saved = load_checkpoint(run.checkpoint)
        architecture, task = find_architecture(saved.model_name), TaskType(saved.task_type)
        config = architecture.fitted_config(task, class_names=_labels(saved), image_size=saved.image_size)
        model = build_model(config, task)
        model.load_state_dict(saved.model)
    except (RuntimeError, TypeError, ValueError, StopIteration) as error:
        text = (str(error) or type(error).__name__)[:200]
        raise TrainingError(EndReason.WEIGHTS_UNAVAILABLE, f"The checkpoint cannot be used: {text}") from error
    module = Outputs(model, task)
    return TorchNetwork(torch, module, model, module.names, _describe(run, saved, architecture), str(device))


def _labels(saved: Checkpoint) -> list[str]:
    """Return the labels of the outputs, which for semantic segmentation begin with the background."""
    names = saved.class_names
    return list(label_names(names)) if saved.task_type == TaskType.SEMANTIC_SEGMENTATION else names


def _describe(run: Run, saved: Checkpoint, architecture: Architecture) -> Description:
    mean, std = NORMALIZATIONS[architecture.normalization]
    preprocessing: Any = {"mean": tuple(mean), "std": tuple(std)}
    return Description(
        framework="huggingface",
        model_name=saved.model_name,
        task_type=TaskType(saved.task_type),
        class_names=_labels(saved),
        preprocessing=Preprocessing(
            size=(saved.image_size, saved.image_size),
            resize="squash",
            channels="bgr" if architecture.normalization == "bgr" else "rgb",
            **preprocessing,
        ),
        background=BACKGROUND if saved.task_type == TaskType.SEMANTIC_SEGMENTATION else None,
        versions=library_versions(),
        license=run.card.license,
    )
