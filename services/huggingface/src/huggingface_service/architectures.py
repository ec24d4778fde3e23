"""Architectures that transformers can build from a configuration alone, and their fitting to a data set.

One architecture is one entry of the catalogue: a model type with its default configuration, or a well-known checkpoint
whose configuration stands in `known_models`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from transformers import (
    AutoConfig,
    AutoModelForImageClassification,
    AutoModelForObjectDetection,
    AutoModelForSemanticSegmentation,
    AutoModelForUniversalSegmentation,
    PreTrainedConfig,
)
from transformers.models.auto import modeling_auto

from huggingface_service.known_models import CHECKPOINTS
from vision_contracts import TaskType

CLASSIFICATION = TaskType.IMAGE_CLASSIFICATION
DETECTION = TaskType.OBJECT_DETECTION
SEGMENTATION = TaskType.SEMANTIC_SEGMENTATION
INSTANCES = TaskType.INSTANCE_SEGMENTATION

AUTO_MODELS: dict[TaskType, Any] = {
    CLASSIFICATION: AutoModelForImageClassification,
    DETECTION: AutoModelForObjectDetection,
    SEGMENTATION: AutoModelForSemanticSegmentation,
    INSTANCES: AutoModelForUniversalSegmentation,
}
TYPES_OF_TASK: dict[TaskType, frozenset[str]] = {
    CLASSIFICATION: frozenset(modeling_auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES),
    DETECTION: frozenset(modeling_auto.MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES),
    SEGMENTATION: frozenset(modeling_auto.MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING_NAMES),
    INSTANCES: frozenset(modeling_auto.MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES) - {"detr"},
}
"""DETR's masks come on top of a detector that is trained already."""

NOT_TRAINABLE: Mapping[str, str] = {
    "dinat": "needs natten, which has no wheel for current PyTorch",
    "oneformer": "is told by a text what to look for in each image",
    "videomt": "learns from videos",
    "shieldgemma2": "a language model of four billion parameters that judges images",
    "pp_doclayout_v2": "transformers has no loss for it",
    "pp_doclayout_v3": "transformers has no loss for it",
    "pp_doclayout_v4": "transformers has no loss for it",
    "pp_ocrv5_mobile_det": "finds regions of text by a map; transformers has no loss for it",
    "pp_ocrv5_server_det": "finds regions of text by a map; transformers has no loss for it",
    "pp_ocrv6_medium_det": "finds regions of text by a map; transformers has no loss for it",
    "pp_ocrv6_small_det": "finds regions of text by a map; transformers has no loss for it",
}
"""Types of these tasks that the catalogue leaves out, and why."""

ADJUSTMENTS: Mapping[tuple[str, TaskType], Mapping[str, Any]] = {
    # The class list of these three is read while the head is built, and is None by default.
    ("deit", CLASSIFICATION): {"architectures": []},
    ("levit", CLASSIFICATION): {"architectures": []},
    ("perceiver", CLASSIFICATION): {"architectures": []},
    ("beit", SEGMENTATION): {"out_indices": [3, 5, 7, 11], "use_auxiliary_head": False},
    ("data2vec-vision", SEGMENTATION): {"use_auxiliary_head": False},
    ("dpt", SEGMENTATION): {"use_auxiliary_head": False},
    ("upernet", SEGMENTATION): {"use_auxiliary_head": False},
    ("sapiens2", SEGMENTATION): {
        "head_config": {"upsample_out_channels": [768, 768], "conv_out_channels": [512, 512]},
    },
    ("lw_detr", DETECTION): {"projector_scale_factors": [1.0]},
}
"""Settings that a default configuration lacks before its model can be built and trained."""

INPUT_SIZES: Mapping[TaskType, int] = {CLASSIFICATION: 224, DETECTION: 640, SEGMENTATION: 512, INSTANCES: 384}
"""Side of the images for types whose configuration has none, in pixels."""

SIZE_STEPS: Mapping[str, int] = {"dinov2": 14, "tipsv2_dpt": 14, "rf_detr": 56, "lw_detr": 64, "imagegpt": 8}
"""The side of an image must be a multiple of this. Of the others, a multiple of 32 or the configured side."""

RESIZE_POSITIONS = frozenset({"dinov2", "dinov2_with_registers", "yolos"})
"""Models that fit their position embeddings to every image: the configured size stays that of the weights."""

QUERIES_FROM_FEATURES: Mapping[str, str] = {
    "d_fine": "num_queries",
    "deformable_detr": "two_stage_num_proposals",
    "deimv2": "num_queries",
    "lw_detr": "num_queries",
    "rf_detr": "num_queries",
    "rt_detr": "num_queries",
    "rt_detr_v2": "num_queries",
}
"""Detectors whose queries are the best cells of the feature maps, and the setting that says how many: at most all."""

MIN_SIZES: Mapping[TaskType, int] = {CLASSIFICATION: 64, DETECTION: 128, SEGMENTATION: 64, INSTANCES: 128}


@dataclass(frozen=True)
class Architecture:
    """A model before it is fitted to a data set."""

    name: str
    model_type: str
    task_types: tuple[TaskType, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the default configuration of the type."""
    hub_id: str | None = None
    """Repository of the weights on the hub."""
    license: str | None = None
    normalization: str = "imagenet"
    input_size: int | None = None

    @property
    def size_step(self) -> int:
        """A side of an image is a multiple of this."""
        return SIZE_STEPS.get(self.model_type, 32)

    def default_config(self, task: TaskType) -> PreTrainedConfig:
        """The configuration that the catalogue describes."""
        changes = {**ADJUSTMENTS.get((self.model_type, task), {}), **self.config}
        return AutoConfig.for_model(self.model_type, **changes)

    def labelled_config(self, task: TaskType, *, class_names: Sequence[str]) -> PreTrainedConfig:
        """The configuration for the classes of one data set, at the size of image that the weights are made for."""
        config = self.default_config(task)
        config.num_labels = len(class_names)
        config.id2label = dict(enumerate(class_names))
        config.label2id = {name: index for index, name in enumerate(class_names)}
        return config

    def fitted_config(self, task: TaskType, *, class_names: Sequence[str], image_size: int) -> PreTrainedConfig:
        """The configuration for one data set and one size of image."""
        config = self.labelled_config(task, class_names=class_names)
        fit_image_size(config, image_size)
        return config

    def native_size(self, task: TaskType) -> int:
        """Side of the images that the configuration is made for, and that it takes."""
        configured = None if self.model_type in RESIZE_POSITIONS else image_size_of(self.default_config(task))
        own = self.input_size or configured or INPUT_SIZES[task]
        return own if self.model_type not in SIZE_STEPS else self.fitting_size(own)

    def fitting_size(self, side: int) -> int:
        """The next multiple of what it takes."""
        return math.ceil(side / self.size_step) * self.size_step


def architectures() -> Iterator[Architecture]:
    """Yield all that the catalogue lists: each model type once, then the well-known checkpoints."""
    for model_type in sorted(set().union(*TYPES_OF_TASK.values()) - set(NOT_TRAINABLE)):
        tasks = tuple(task for task in AUTO_MODELS if model_type in TYPES_OF_TASK[task])
        normalization = "half" if model_type == "imagegpt" else "imagenet"
        yield Architecture(model_type, model_type, tasks, normalization=normalization)
    for checkpoint in CHECKPOINTS:
        yield Architecture(
            checkpoint.hub_id,
            checkpoint.model_type,
            (checkpoint.task,),
            checkpoint.config,
            checkpoint.hub_id,
            checkpoint.license,
            checkpoint.normalization,
            checkpoint.input_size,
        )


def find_architecture(name: str) -> Architecture:
    """The architecture of a card. Raises KeyError for a name that is in no catalogue of this version."""
    return next(found for found in architectures() if found.name == name)


def image_size_of(config: PreTrainedConfig) -> int | None:
    """The side of the images, where a configuration or one of its parts has it."""
    if config.model_type == "imagegpt":
        return math.isqrt(config.n_positions)
    for part in _parts(config):
        size = getattr(part, "image_size", None)
        if size is not None:
            return size if isinstance(size, int) else max(size)
    return None


def fit_image_size(config: PreTrainedConfig, size: int) -> None:
    """Fits everything in a configuration that depends on the side of the images."""
    for part in _parts(config):
        current = getattr(part, "image_size", None)
        if current is not None and part.model_type not in RESIZE_POSITIONS:
            part.image_size = size if isinstance(current, int) else [size, size]
        if part.model_type in ("swin", "donut-swin", "maskformer-swin"):
            # Attention windows cannot be larger than the last feature map, a 32nd of the image.
            part.window_size = min(part.window_size, max(1, size // 32))
    if config.model_type == "imagegpt":
        config.n_positions = size * size
    if config.model_type in QUERIES_FROM_FEATURES:
        queries = QUERIES_FROM_FEATURES[config.model_type]
        cells = sum((size // stride) ** 2 for stride in _feature_strides(config))
        setattr(config, queries, min(getattr(config, queries), cells))


def _feature_strides(config: PreTrainedConfig) -> Sequence[int]:
    """Return the pixels between two cells, for each feature map of a detector."""
    if config.model_type == "deformable_detr":
        return [8 * 2**level for level in range(config.num_feature_levels)]
    return getattr(config, "feat_strides", None) or [config.backbone_config.patch_size]


def _parts(config: PreTrainedConfig) -> Iterator[PreTrainedConfig]:
    yield config
    for name in ("vision_config", "backbone_config"):
        part = getattr(config, name, None)
        if part is not None:
            yield part
