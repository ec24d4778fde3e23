"""Models for semantic segmentation, and the SegFormer encoders that classify."""

# fmt: off - tables, easier to read by lines of their own making
from collections.abc import Iterator, Mapping
from typing import Any

from huggingface_service.known_models.base import IMAGENET, HubCheckpoint, classifier
from huggingface_service.known_models.convolutional import stages
from vision_contracts import TaskType

ADE20K = {"num_labels": 150}
CITYSCAPES = {"num_labels": 19}
PASCAL_VOC = {"num_labels": 21}

_MIXED_TRANSFORMERS = {
    "b0": ([2, 2, 2, 2], [32, 64, 160, 256], 256),
    "b1": ([2, 2, 2, 2], [64, 128, 320, 512], 256),
    "b2": ([3, 4, 6, 3], [64, 128, 320, 512], 768),
    "b3": ([3, 4, 18, 3], [64, 128, 320, 512], 768),
    "b4": ([3, 8, 27, 3], [64, 128, 320, 512], 768),
    "b5": ([3, 6, 40, 3], [64, 128, 320, 512], 768),
}
"""Depths, widths, and the width of the decoder."""


def _segmenter(
    hub_id: str,
    model_type: str,
    config: Mapping[str, Any],
    *,
    size: int = 512,
    license: str = "apache-2.0",
    normalization: str = "imagenet",
) -> HubCheckpoint:
    return HubCheckpoint(hub_id, model_type, TaskType.SEMANTIC_SEGMENTATION, config, size, license, normalization)


def _segformers() -> Iterator[HubCheckpoint]:
    for name, (depths, widths, decoder) in _MIXED_TRANSFORMERS.items():
        config = {"depths": depths, "hidden_sizes": widths, "decoder_hidden_size": decoder}
        ade = 640 if name == "b5" else 512
        yield classifier(f"nvidia/mit-{name}", "segformer", {**config, **IMAGENET}, license="other")
        yield _segmenter(
            f"nvidia/segformer-{name}-finetuned-ade-{ade}-{ade}",
            "segformer",
            {**config, **ADE20K},
            size=ade,
            license="other",
        )
        yield _segmenter(
            f"nvidia/segformer-{name}-finetuned-cityscapes-1024-1024",
            "segformer",
            {**config, **CITYSCAPES},
            size=1024,
            license="other",
        )


def _upernets() -> Iterator[HubCheckpoint]:
    for name, last, width in (
        ("tiny", 9, 96),
        ("small", 27, 96),
        ("base", 27, 128),
        ("large", 27, 192),
        ("xlarge", 27, 256),
    ):
        backbone = {
            "model_type": "convnext",
            "depths": [3, 3, last, 3],
            "hidden_sizes": stages(width),
            "out_features": ["stage1", "stage2", "stage3", "stage4"],
        }
        config = {"backbone_config": backbone, "hidden_size": 512, **ADE20K}
        yield _segmenter(f"openmmlab/upernet-convnext-{name}", "upernet", config, license="mit")
    for name, last, width, heads, window in (
        ("tiny", 6, 96, 3, 7),
        ("small", 18, 96, 3, 7),
        ("base", 18, 128, 4, 12),
        ("large", 18, 192, 6, 12),
    ):
        backbone = {
            "model_type": "swin",
            "embed_dim": width,
            "depths": [2, 2, last, 2],
            "num_heads": stages(heads),
            "window_size": window,
            "out_features": ["stage1", "stage2", "stage3", "stage4"],
        }
        config = {"backbone_config": backbone, "hidden_size": 512, **ADE20K}
        yield _segmenter(f"openmmlab/upernet-swin-{name}", "upernet", config, license="mit")


def _deeplabs() -> Iterator[HubCheckpoint]:
    yield _segmenter(
        "google/deeplabv3_mobilenet_v2_1.0_513",
        "mobilenet_v2",
        {"output_stride": 8, "image_size": 513, **PASCAL_VOC},
        license="other",
        normalization="half",
    )
    for name, widths, neck, more in (
        ("small", [144, 192, 240], [16, 32, 64, 96, 128, 160, 640], {}),
        ("x-small", [96, 120, 144], [16, 32, 48, 64, 80, 96, 384], {}),
        ("xx-small", [64, 80, 96], [16, 16, 24, 48, 64, 80, 320], {"expand_ratio": 2.0, "hidden_dropout_prob": 0.05}),
    ):
        config = {
            "hidden_sizes": widths,
            "neck_hidden_sizes": neck,
            "output_stride": 16,
            "image_size": 512,
            **more,
            **PASCAL_VOC,
        }
        hub_id = f"apple/deeplabv3-mobilevit-{name}"
        yield _segmenter(hub_id, "mobilevit", config, license="other", normalization="bgr")
    yield _segmenter(
        "apple/mobilevitv2-1.0-voc-deeplabv3",
        "mobilevitv2",
        {"output_stride": 16, "image_size": 512, **PASCAL_VOC},
        license="other",
        normalization="bgr",
    )


def _plain_transformers() -> Iterator[HubCheckpoint]:
    relative = {"use_relative_position_bias": True, "image_size": 640, **ADE20K}
    large = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
    for name, config in (
        ("base", {"layer_scale_init_value": 0.1, "out_indices": [3, 5, 7, 11]}),
        ("large", {**large, "layer_scale_init_value": 1e-5, "out_indices": [7, 11, 15, 23]}),
    ):
        hub_id = f"microsoft/beit-{name}-finetuned-ade-640-640"
        yield _segmenter(hub_id, "beit", {**config, **relative}, size=640, normalization="half")
    dpt = {
        **large,
        "backbone_out_indices": [5, 11, 17, 23],
        "neck_hidden_sizes": [256, 512, 1024, 1024],
        "use_batch_norm_in_fusion_residual": True,
        **ADE20K,
    }
    yield _segmenter("Intel/dpt-large-ade", "dpt", dpt, size=384, normalization="half")


SEGMENTERS: tuple[HubCheckpoint, ...] = (*_segformers(), *_upernets(), *_deeplabs(), *_plain_transformers())
