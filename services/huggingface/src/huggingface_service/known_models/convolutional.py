"""Classifiers made of convolutions."""

# fmt: off - tables, easier to read by lines of their own making
from collections.abc import Iterator
from typing import Any

from huggingface_service.known_models.base import IMAGENET, IMAGENET_22K, HubCheckpoint, classifier

_WIDE = {"hidden_sizes": [256, 512, 1024, 2048], "layer_type": "bottleneck"}
_NARROW = {"hidden_sizes": [64, 128, 256, 512], "layer_type": "basic"}
_RESNETS: dict[str, dict[str, Any]] = {
    "18": {**_NARROW, "depths": [2, 2, 2, 2]},
    "26": {**_WIDE, "depths": [2, 2, 2, 2]},
    "34": {**_NARROW, "depths": [3, 4, 6, 3]},
    "50": {**_WIDE, "depths": [3, 4, 6, 3]},
    "101": {**_WIDE, "depths": [3, 4, 23, 3]},
    "152": {**_WIDE, "depths": [3, 8, 36, 3]},
}

_REGNETS: dict[str, tuple[list[int], list[int], int]] = {
    "x-002": ([1, 1, 4, 7], [24, 56, 152, 368], 8),
    "x-004": ([1, 2, 7, 12], [32, 64, 160, 384], 16),
    "x-006": ([1, 3, 5, 7], [48, 96, 240, 528], 24),
    "x-008": ([1, 3, 7, 5], [64, 128, 288, 672], 16),
    "x-016": ([2, 4, 10, 2], [72, 168, 408, 912], 24),
    "x-032": ([2, 6, 15, 2], [96, 192, 432, 1008], 48),
    "x-040": ([2, 5, 14, 2], [80, 240, 560, 1360], 40),
    "x-064": ([2, 4, 10, 1], [168, 392, 784, 1624], 56),
    "x-080": ([2, 5, 15, 1], [80, 240, 720, 1920], 120),
    "x-120": ([2, 5, 11, 1], [224, 448, 896, 2240], 112),
    "x-160": ([2, 6, 13, 1], [256, 512, 896, 2048], 128),
    "x-320": ([2, 7, 13, 1], [336, 672, 1344, 2520], 168),
    "y-002": ([1, 1, 4, 7], [24, 56, 152, 368], 8),
    "y-004": ([1, 3, 6, 6], [48, 104, 208, 440], 8),
    "y-006": ([1, 3, 7, 4], [48, 112, 256, 608], 16),
    "y-008": ([1, 3, 8, 2], [64, 128, 320, 768], 16),
    "y-016": ([2, 6, 17, 2], [48, 120, 336, 888], 24),
    "y-032": ([2, 5, 13, 1], [72, 216, 576, 1512], 24),
    "y-040": ([2, 6, 12, 2], [128, 192, 512, 1088], 64),
    "y-064": ([2, 7, 14, 2], [144, 288, 576, 1296], 72),
    "y-080": ([2, 4, 10, 1], [168, 448, 896, 2016], 56),
    "y-120": ([2, 5, 11, 1], [224, 448, 896, 2240], 112),
    "y-160": ([2, 4, 11, 1], [224, 448, 1232, 3024], 112),
    "y-320": ([2, 5, 12, 1], [232, 696, 1392, 3712], 232),
}
"""Depths, widths and the width of a group."""

_CONVNEXTS: dict[str, tuple[list[int], int]] = {
    "tiny": ([3, 3, 9, 3], 96),
    "small": ([3, 3, 27, 3], 96),
    "base": ([3, 3, 27, 3], 128),
    "large": ([3, 3, 27, 3], 192),
    "xlarge": ([3, 3, 27, 3], 256),
}
_CONVNEXTS_V2: dict[str, tuple[list[int], int]] = {
    "atto": ([2, 2, 6, 2], 40),
    "femto": ([2, 2, 6, 2], 48),
    "pico": ([2, 2, 6, 2], 64),
    "nano": ([2, 2, 8, 2], 80),
    "tiny": ([3, 3, 9, 3], 96),
    "base": ([3, 3, 27, 3], 128),
    "large": ([3, 3, 27, 3], 192),
    "huge": ([3, 3, 27, 3], 352),
}
"""Depths and the width of the first stage, which doubles from stage to stage."""

_EFFICIENTNETS: tuple[tuple[float, float, int, float, int, list[int]], ...] = (
    (1.0, 1.0, 224, 0.2, 1280, []),
    (1.0, 1.1, 240, 0.2, 1280, [16]),
    (1.1, 1.2, 260, 0.3, 1408, [5, 8, 16]),
    (1.2, 1.4, 300, 0.3, 1536, [5, 18]),
    (1.4, 1.8, 380, 0.4, 1792, [6]),
    (1.6, 2.2, 456, 0.4, 2048, [13, 27]),
    (1.8, 2.6, 528, 0.5, 2304, [31]),
    (2.0, 3.1, 600, 0.5, 2560, [18]),
)
"""B0 to B7: width, depth, side of the images, dropout, width of the head, and where TensorFlow's padding differs."""


def _resnets() -> Iterator[HubCheckpoint]:
    for name, config in _RESNETS.items():
        yield classifier(f"microsoft/resnet-{name}", "resnet", {**config, **IMAGENET})
    yield classifier(
        "google/bit-50",
        "bit",
        {"global_padding": "SAME", **IMAGENET},
        size=448,
        normalization="half",
    )


def _regnets() -> Iterator[HubCheckpoint]:
    for name, (depths, widths, group) in _REGNETS.items():
        config = {"depths": depths, "hidden_sizes": widths, "groups_width": group, "layer_type": name[0]}
        yield classifier(f"facebook/regnet-{name}", "regnet", {**config, **IMAGENET})


def stages(first: int) -> list[int]:
    """Four widths, each twice the one before."""
    return [first * factor for factor in (1, 2, 4, 8)]


def _convnexts() -> Iterator[HubCheckpoint]:
    for suffix, size, names, head in (
        ("224", 224, ("tiny", "small", "base", "large"), IMAGENET),
        ("384", 384, ("base", "large"), IMAGENET),
        ("224-22k", 224, ("base", "large", "xlarge"), IMAGENET_22K),
        ("224-22k-1k", 224, ("base", "large", "xlarge"), IMAGENET),
        ("384-22k-1k", 384, ("base", "large", "xlarge"), IMAGENET),
    ):
        for name in names:
            depths, width = _CONVNEXTS[name]
            config = {"depths": depths, "hidden_sizes": stages(width), "image_size": size, **head}
            yield classifier(f"facebook/convnext-{name}-{suffix}", "convnext", config, size=size)


def _convnexts_v2() -> Iterator[HubCheckpoint]:
    for suffix, size, names in (
        ("1k-224", 224, tuple(_CONVNEXTS_V2)),
        ("22k-224", 224, ("nano", "tiny", "base", "large")),
        ("22k-384", 384, ("nano", "tiny", "base", "large", "huge")),
        ("22k-512", 512, ("huge",)),
    ):
        for name in names:
            depths, width = _CONVNEXTS_V2[name]
            config = {"depths": depths, "hidden_sizes": stages(width), "image_size": size, **IMAGENET}
            yield classifier(f"facebook/convnextv2-{name}-{suffix}", "convnextv2", config, size=size)


def _efficientnets() -> Iterator[HubCheckpoint]:
    for number, (width, depth, size, dropout, head, padding) in enumerate(_EFFICIENTNETS):
        config = {
            "width_coefficient": width,
            "depth_coefficient": depth,
            "image_size": size,
            "dropout_rate": dropout,
            "hidden_dim": head,
            "depthwise_padding": padding,
            **IMAGENET,
        }
        yield classifier(f"google/efficientnet-b{number}", "efficientnet", config, size=size)


def _mobilenets() -> Iterator[HubCheckpoint]:
    # One label more than ImageNet has: the background.
    for version, width, size in (
        ("v1", 0.75, 192),
        ("v1", 1.0, 224),
        ("v2", 0.35, 96),
        ("v2", 0.75, 160),
        ("v2", 1.0, 224),
        ("v2", 1.4, 224),
    ):
        config = {"depth_multiplier": width, "image_size": size, "num_labels": 1001}
        name, kind = f"google/mobilenet_{version}_{width}_{size}", f"mobilenet_{version}"
        yield classifier(name, kind, config, size=size, license="other", normalization="half")


CONVOLUTIONAL: tuple[HubCheckpoint, ...] = (
    *_resnets(),
    *_regnets(),
    *_convnexts(),
    *_convnexts_v2(),
    *_efficientnets(),
    *_mobilenets(),
)
