"""Cards of the catalogue: facts, texts and recommended values of each architecture."""

import re

from huggingface_service.adapter import adapter
from huggingface_service.architectures import Architecture
from huggingface_service.probe import count_gmacs, count_parameters
from vision_contracts import ModelCard, TaskType

WELL_KNOWN = frozenset({
    "convnext", "detr", "efficientnet", "mobilenet_v2", "resnet", "rt_detr", "segformer", "swin", "vit",
    "facebook/convnext-tiny-224", "facebook/deit-small-patch16-224", "facebook/detr-resnet-50",
    "facebook/dinov2-small", "google/efficientnet-b0", "google/mobilenet_v2_1.0_224", "google/vit-base-patch16-224",
    "microsoft/resnet-18", "microsoft/resnet-50", "microsoft/swin-tiny-patch4-window7-224", "nvidia/mit-b0",
    "nvidia/segformer-b0-finetuned-ade-512-512", "PekingU/rtdetr_r18vd", "PekingU/rtdetr_r50vd",
})  # fmt: skip
"""Names that most users look for: priority 0."""

LARGE = 150_000_000
"""Parameters from which a model is for few machines: priority 2, with its need of memory."""

BYTES_PER_PARAMETER = 16
"""Bytes that a training with AdamW in 32 bits takes: the weight, its gradient and two moments."""

CONVOLUTIONAL = frozenset({
    "bit", "convnext", "convnextv2", "efficientnet", "focalnet", "hgnet_v2", "mobilenet_v1", "mobilenet_v2",
    "mobilevit", "mobilevitv2", "poolformer", "pp_lcnet", "regnet", "resnet", "swiftformer", "textnet", "timm_wrapper",
})  # fmt: skip
"""Classifiers that learn at a higher rate than those built of attention."""

TASK_WORDS = {
    TaskType.IMAGE_CLASSIFICATION: "image classification",
    TaskType.OBJECT_DETECTION: "object detection",
    TaskType.SEMANTIC_SEGMENTATION: "semantic segmentation",
    TaskType.INSTANCE_SEGMENTATION: "instance segmentation",
}
OF_OBJECTS = (TaskType.OBJECT_DETECTION, TaskType.INSTANCE_SEGMENTATION)
LARGEST_BATCHES = {
    TaskType.IMAGE_CLASSIFICATION: 16,
    TaskType.OBJECT_DETECTION: 4,
    TaskType.SEMANTIC_SEGMENTATION: 8,
    TaskType.INSTANCE_SEGMENTATION: 4,
}


def make_card(architecture: Architecture) -> ModelCard:
    """Return the card of an architecture."""
    task = architecture.task_types[0]
    params = count_parameters(architecture, task)
    is_checkpoint = architecture.hub_id is not None
    is_large = params > LARGE
    return ModelCard(
        framework=adapter.framework,
        model_name=architecture.name,
        display_name=display_name(architecture),
        description=describe(architecture, params),
        task_types=list(architecture.task_types),
        family=architecture.model_type,
        params=params,
        gmacs=count_gmacs(architecture, task),
        input_size=architecture.native_size(task),
        pretrained_available=is_checkpoint,
        pretrained_tags=[architecture.hub_id] if architecture.hub_id else [],
        license=architecture.license,
        recommended_batch_size=recommended_batch_size(task, params),
        recommended_lr=recommended_lr(architecture, task),
        tags=["checkpoint" if is_checkpoint else "architecture", *(["large"] if is_large else [])],
        priority=0 if architecture.name in WELL_KNOWN else 1 if is_checkpoint and not is_large else 2,
        hyperparameters_ref="detection" if task in OF_OBJECTS else "labeling",
    )


def display_name(architecture: Architecture) -> str:
    """`google/vit-base-patch16-224` → `vit base patch16 224`; a type alone stands as the library writes it."""
    if architecture.hub_id:
        return re.sub(r"[-_]+", " ", architecture.hub_id.partition("/")[2])
    return type(architecture.default_config(architecture.task_types[0])).__name__.removesuffix("Config")


def describe(architecture: Architecture, params: int) -> str:
    """One or two sentences."""
    tasks = " and ".join(TASK_WORDS[task] for task in architecture.task_types)
    if architecture.hub_id:
        text = f"The checkpoint {architecture.hub_id} of the Hugging Face hub ({architecture.model_type}), for {tasks}."
    else:
        text = (
            f"The {architecture.model_type} architecture in the library's default configuration, for {tasks}. It "
            f"starts from random weights; the checkpoints of its family have pretrained ones."
        )
    if params > LARGE:
        text += f" Training it with AdamW takes more than {params * BYTES_PER_PARAMETER / 2**30:.0f} GiB of memory."
    return text


def recommended_batch_size(task: TaskType, params: int) -> int:
    """Small enough for a modest GPU at the card's input size."""
    return max(1, LARGEST_BATCHES[task] // (4 if params > 2 * LARGE else 2 if params > LARGE else 1))


def recommended_lr(architecture: Architecture, task: TaskType) -> float:
    """Return a rate for AdamW with the default warm-up that learns from scratch and keeps pretrained weights intact."""
    if task in OF_OBJECTS:
        return 1e-4
    if task is TaskType.IMAGE_CLASSIFICATION and architecture.model_type in CONVOLUTIONAL:
        return 5e-4 if architecture.hub_id else 1e-3
    return 2e-4 if architecture.hub_id else 3e-4
