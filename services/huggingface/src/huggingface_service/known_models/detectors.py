"""Detectors of the DETR family."""

# fmt: off - tables, easier to read by lines of their own making
from collections.abc import Iterator
from typing import Any

from huggingface_service.known_models.base import HubCheckpoint
from vision_contracts import TaskType

COCO = {"num_labels": 80}

COCO_WITH_GAPS = {"num_labels": 91}
"""Heads that keep the gaps in COCO's numbering of its 80 classes."""


def _detector(
    hub_id: str,
    model_type: str,
    config: dict[str, Any],
    *,
    size: int = 800,
    license: str = "apache-2.0",
    normalization: str = "imagenet",
) -> HubCheckpoint:
    return HubCheckpoint(hub_id, model_type, TaskType.OBJECT_DETECTION, config, size, license, normalization)


def _detrs() -> Iterator[HubCheckpoint]:
    for name, config in (
        ("50", {}),
        ("101", {"backbone": "resnet101"}),
        ("50-dc5", {"dilation": True}),
        ("101-dc5", {"backbone": "resnet101", "dilation": True}),
    ):
        yield _detector(f"facebook/detr-resnet-{name}", "detr", {**config, **COCO_WITH_GAPS})
    yield _detector("microsoft/conditional-detr-resnet-50", "conditional_detr", COCO_WITH_GAPS)
    yield _detector("IDEA-Research/dab-detr-resnet-50", "dab-detr", COCO_WITH_GAPS)
    refined = {"with_box_refine": True}
    for name, config in (
        ("", {}),
        ("-single-scale", {"num_feature_levels": 1}),
        ("-with-box-refine", refined),
        ("-with-box-refine-two-stage", {**refined, "two_stage": True}),
    ):
        yield _detector(f"SenseTime/deformable-detr{name}", "deformable_detr", {**config, **COCO_WITH_GAPS})
    for name, labels in (("detection", 2), ("structure-recognition", 6)):
        yield _detector(
            f"microsoft/table-transformer-{name}",
            "table-transformer",
            {"backbone": "resnet18", "num_labels": labels},
            license="mit",
        )


def _yolos() -> Iterator[HubCheckpoint]:
    for name, width, heads, layers, image, middle in (
        ("tiny", 192, 3, 12, [800, 1333], False),
        ("small", 384, 6, 12, [512, 864], True),
        ("base", 768, 12, 12, [800, 1344], True),
    ):
        config = {
            "hidden_size": width,
            "num_attention_heads": heads,
            "num_hidden_layers": layers,
            "intermediate_size": 4 * width,
            "image_size": image,
            "use_mid_position_embeddings": middle,
        }
        yield _detector(f"hustvl/yolos-{name}", "yolos", {**config, **COCO_WITH_GAPS}, size=512)


def _rt_detrs() -> Iterator[HubCheckpoint]:
    small = {"encoder_in_channels": [128, 256, 512], "hidden_expansion": 0.5}
    for kind, name in (("rt_detr", "rtdetr"), ("rt_detr_v2", "rtdetr_v2")):
        for size, config in (
            ("r18vd", {"backbone_config": _resnet([2, 2, 2, 2]), **small, "decoder_layers": 3}),
            ("r34vd", {"backbone_config": _resnet([3, 4, 6, 3]), **small, "decoder_layers": 4}),
            ("r50vd", {}),
            (
                "r101vd",
                {
                    "backbone_config": _resnet([3, 4, 23, 3], is_wide=True),
                    "encoder_ffn_dim": 2048,
                    "encoder_hidden_dim": 384,
                    "decoder_in_channels": [384, 384, 384],
                },
            ),
        ):
            yield _detector(f"PekingU/{name}_{size}", kind, {**config, **COCO}, size=640, normalization="unit")
    yield _detector("ustc-community/dfine-large-coco", "d_fine", COCO, size=640, normalization="unit")


def _resnet(depths: list[int], *, is_wide: bool = False) -> dict[str, Any]:
    widths = [256, 512, 1024, 2048] if is_wide else [64, 128, 256, 512]
    return {
        "model_type": "rt_detr_resnet",
        "depths": depths,
        "hidden_sizes": widths,
        "layer_type": "bottleneck" if is_wide else "basic",
        "out_features": ["stage2", "stage3", "stage4"],
    }


DETECTORS: tuple[HubCheckpoint, ...] = (*_detrs(), *_yolos(), *_rt_detrs())
