"""The network that a configuration describes, and the part of it that extracts features: its backbone."""

from collections.abc import Mapping

from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel

from huggingface_service.architectures import AUTO_MODELS
from trainer_kit.trainer import TrainingError
from vision_contracts import EndReason, TaskType

BACKBONES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("clip", "metaclip_2", "siglip", "siglip2"), ("vision_model",)),
    **dict.fromkeys(("mask2former", "maskformer"), ("model.pixel_level_module.encoder",)),
    **dict.fromkeys(("lw_detr", "rf_detr"), ("model.backbone.backbone",)),  # the projector is left out
    **dict.fromkeys(("eomt", "eomt_dinov3"), ("embeddings", "layers", "layernorm")),
    "deimv2": ("model.conv_encoder.model",),
    "hgnet_v2": ("embedder", "encoder"),
    "perceiver": ("perceiver.input_preprocessor", "perceiver.embeddings", "perceiver.encoder"),
    "pp_lcnet": ("encoder", "last_convolution"),
    "timm_wrapper": tuple(
        f"timm_model.{part}" for part in ("conv1", "bn1", "layer1", "layer2", "layer3", "layer4")
    ),  # the parts of a ResNet
}
"""Parts by type, for models whose backbone is neither a module of that name nor the base model."""


def build_model(config: PreTrainedConfig, task: TaskType) -> PreTrainedModel:
    """A model with fresh weights."""
    return AUTO_MODELS[task].from_config(config)


def find_backbone(model: PreTrainedModel) -> nn.Module:
    """Return the part that extracts features. Raises TrainingError if the model has none."""
    if parts := BACKBONES.get(model.config.model_type):
        return nn.ModuleList(model.get_submodule(part) for part in parts)
    for name, module in model.named_modules():
        if name.rpartition(".")[2] == "backbone":
            return module
    if model.base_model is model:
        raise TrainingError(
            EndReason.BAD_HYPERPARAMETERS,
            "This model has no backbone. Set freeze_backbone to false, and backbone_lr to 1.",
        )
    return model.base_model


def freeze_backbone(model: PreTrainedModel) -> nn.Module:
    """Exclude the backbone from training, and return it. Raises TrainingError if the model has none."""
    return find_backbone(model).requires_grad_(False)
