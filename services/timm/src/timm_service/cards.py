"""Cards of the catalogue: facts, texts and recommended values of each architecture."""

import math

import timm

from timm_service.adapter import adapter
from timm_service.architectures import Architecture, family, pretrained_tags
from vision_contracts import ModelCard, TaskType

LARGEST_BATCH = 32
TRAINING_BYTES = 12 << 30
"""Memory that a recommended batch may take: it leaves room on a 16 GiB accelerator."""
BYTES_PER_PARAMETER = 16
"""Weight, gradient and AdamW's two averages, four bytes each."""

WIDELY_USABLE_PARAMS = 150_000_000
SIZE_TAGS = ((5e6, "tiny"), (30e6, "small"), (100e6, "medium"), (400e6, "large"), (math.inf, "huge"))

BEST_KNOWN = frozenset(
    """
    resnet10t resnet18 resnet26 resnet34 resnet50 resnet101 resnext50_32x4d wide_resnet50_2 seresnet50 densenet121 vgg16
    mobilenetv2_100 mobilenetv3_small_100 mobilenetv3_large_100 mobilenetv4_conv_small mobilenetv4_conv_medium
    efficientnet_b0 efficientnet_b3 efficientnet_lite0 tf_efficientnetv2_s regnety_016 inception_v3 xception41
    convnext_atto convnext_tiny convnext_small convnext_base convnextv2_tiny mobilevit_s fastvit_t8 efficientvit_b0
    vit_tiny_patch16_224 vit_small_patch16_224 vit_base_patch16_224 vit_base_patch14_dinov2 deit_tiny_patch16_224
    deit_small_patch16_224 deit3_small_patch16_224 swin_tiny_patch4_window7_224 swin_base_patch4_window7_224
    swinv2_tiny_window8_256 beit_base_patch16_224 eva02_tiny_patch14_224 maxvit_tiny_tf_224 coatnet_0_rw_224
    """.split()  # noqa: SIM905 - one word a line would be a page
)

SPELLINGS = (
    ("vit", "ViT"),
    ("wide", "Wide"),
    ("convnextv2", "ConvNeXt V2"),
    ("convnext", "ConvNeXt"),
    ("resnext", "ResNeXt"),
    ("resnetv2", "ResNet V2"),
    ("resnet", "ResNet-"),
    ("seresnet", "SE-ResNet-"),
    ("efficientnetv2", "EfficientNet V2"),
    ("efficientnet", "EfficientNet"),
    ("mobilenetv", "MobileNet V"),
    ("mobilevit", "MobileViT"),
    ("mobileone", "MobileOne"),
    ("densenet", "DenseNet-"),
    ("regnet", "RegNet-"),
    ("vgg", "VGG-"),
    ("swinv2", "Swin V2"),
    ("swin", "Swin"),
    ("deit", "DeiT"),
    ("beit", "BEiT"),
    ("eva", "EVA"),
    ("maxvit", "MaxViT"),
    ("coatnet", "CoAtNet"),
    ("inception", "Inception"),
    ("xception", "Xception"),
)


def display_name(name: str) -> str:
    """`vit_tiny_patch16_224` as `ViT tiny patch16 224`."""
    first, *rest = name.split("_")
    written = next((first.replace(plain, nice, 1) for plain, nice in SPELLINGS if first.startswith(plain)), first)
    return " ".join([written, *rest])


def make_card(architecture: Architecture) -> ModelCard:
    """Return the card of an architecture."""
    name = architecture.name
    tags = pretrained_tags(name)
    batch_size = recommended_batch_size(architecture)
    return ModelCard(
        framework=adapter.framework,
        model_name=name,
        display_name=display_name(name),
        description=_describe(architecture, len(tags), batch_size),
        task_types=[TaskType.IMAGE_CLASSIFICATION],
        family=family(name),
        params=architecture.params,
        gmacs=architecture.gmacs or None,
        input_size=architecture.input_size,
        pretrained_available=bool(tags),
        pretrained_tags=[tag for tag in tags if tag],
        license=_license(name, tags),
        recommended_batch_size=batch_size,
        recommended_lr=recommended_lr(architecture),
        tags=_tags(architecture),
        priority=_priority(architecture, tags),
        hyperparameters_ref=architecture.capabilities.ref,
    )


def training_bytes(architecture: Architecture, batch_size: int) -> int:
    """Memory for training all weights with AdamW in 32 bits at the architecture's own input size, roughly."""
    return architecture.params * BYTES_PER_PARAMETER + architecture.activation_bytes * batch_size


def recommended_batch_size(architecture: Architecture) -> int:
    """The largest power of two up to 32 that fits 12 GiB; 2 where nothing does, the least for batch norm."""
    sizes = (LARGEST_BATCH >> shift for shift in range(LARGEST_BATCH.bit_length() - 1))
    return next((size for size in sizes if training_bytes(architecture, size) <= TRAINING_BYTES), 2)


def recommended_lr(architecture: Architecture) -> float:
    """Return a learning rate for AdamW at the recommended batch size, from random weights."""
    if architecture.params > 100e6:
        return 1e-4
    return 1e-3 if architecture.has_batch_norm else 5e-4


def _describe(architecture: Architecture, weights: int, batch_size: int) -> str:
    sets = {0: "no published weights", 1: "one set of weights"}.get(weights, f"{weights} sets of weights")
    gigabytes = max(0.1, training_bytes(architecture, batch_size) / (1 << 30))
    return (
        f"{_count(architecture.params)} parameters, made for images of {architecture.input_size} px; {sets}. "
        f"Training with AdamW in batches of {batch_size} takes about {gigabytes:.1f} GiB."
    )


def _count(number: int) -> str:
    return f"{number / 1e9:.2f} billion" if number >= 1e9 else f"{number / 1e6:.1f} million"


def _license(name: str, tags: list[str]) -> str | None:
    """Return the licence of the weights that `pretrained` takes."""
    config = timm.get_pretrained_cfg(f"{name}.{tags[0]}") if tags else None
    return config.license if config else None


def _tags(architecture: Architecture) -> list[str]:
    size = next(tag for limit, tag in SIZE_TAGS if architecture.params < limit)
    kinds = {"attention": architecture.has_attention, "convolution": architecture.has_convolutions}
    fixed = [] if architecture.capabilities.sizes else ["fixed-size"]
    return [size, *(kind for kind, is_so in kinds.items() if is_so), *fixed]


def _priority(architecture: Architecture, tags: list[str]) -> int:
    if architecture.name in BEST_KNOWN:
        return 0
    return 1 if tags and architecture.params <= WIDELY_USABLE_PARAMS else 2
