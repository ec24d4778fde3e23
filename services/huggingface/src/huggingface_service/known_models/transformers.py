"""Classifiers with attention, and those that stand between."""

# fmt: off - tables, easier to read by lines of their own making
from collections.abc import Iterator
from typing import Any

from huggingface_service.known_models.base import IMAGENET, IMAGENET_22K, HubCheckpoint, classifier


def vit(width: int, layers: int, heads: int, **more: Any) -> dict[str, Any]:
    """The shape of a plain vision transformer, whose inner layers are four times as wide."""
    return {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * width,
        **more,
    }


TINY, SMALL, BASE, LARGE = vit(192, 12, 3), vit(384, 12, 6), vit(768, 12, 12), vit(1024, 24, 16)
HUGE = vit(1280, 32, 16, patch_size=14)


def _vits() -> Iterator[HubCheckpoint]:
    for name, shape, patch, size in (
        ("base", BASE, 16, 224),
        ("base", BASE, 16, 384),
        ("base", BASE, 32, 384),
        ("large", LARGE, 16, 224),
        ("large", LARGE, 16, 384),
        ("large", LARGE, 32, 384),
    ):
        config = {**shape, "patch_size": patch, "image_size": size, **IMAGENET}
        yield classifier(f"google/vit-{name}-patch{patch}-{size}", "vit", config, size=size, normalization="half")
    for name, config in (
        ("google/vit-base-patch16-224-in21k", BASE),
        ("google/vit-base-patch32-224-in21k", {**BASE, "patch_size": 32}),
        ("google/vit-large-patch16-224-in21k", LARGE),
        ("google/vit-huge-patch14-224-in21k", HUGE),
        ("WinKawaks/vit-tiny-patch16-224", {**TINY, **IMAGENET}),
        ("WinKawaks/vit-small-patch16-224", {**SMALL, **IMAGENET}),
    ):
        yield classifier(name, "vit", config, normalization="half")


def _deits() -> Iterator[HubCheckpoint]:
    for name, shape in (("tiny", TINY), ("small", SMALL), ("base", BASE)):
        yield classifier(f"facebook/deit-{name}-patch16-224", "vit", {**shape, **IMAGENET})
        yield classifier(f"facebook/deit-{name}-distilled-patch16-224", "deit", {**shape, **IMAGENET})
    large = {**BASE, "image_size": 384, **IMAGENET}
    yield classifier("facebook/deit-base-patch16-384", "vit", large, size=384)
    yield classifier("facebook/deit-base-distilled-patch16-384", "deit", large, size=384)


def _beits() -> Iterator[HubCheckpoint]:
    bias = {"use_relative_position_bias": True, "use_mean_pooling": True}
    for name, shape, sizes in (
        ("base", {**BASE, "layer_scale_init_value": 0.1}, (224, 384)),
        ("large", {**LARGE, "layer_scale_init_value": 1e-5}, (224, 384, 512)),
    ):
        for size in sizes:
            config = {**shape, **bias, "image_size": size, **IMAGENET}
            yield classifier(f"microsoft/beit-{name}-patch16-{size}", "beit", config, size=size, normalization="half")
        pretrained = f"microsoft/beit-{name}-patch16-224-pt22k-ft22k"
        yield classifier(pretrained, "beit", {**shape, **bias, **IMAGENET_22K}, normalization="half")
        data2vec = f"facebook/data2vec-vision-{name}-ft1k"
        yield classifier(data2vec, "data2vec-vision", {**shape, **bias, **IMAGENET}, normalization="half")


def _self_supervised() -> Iterator[HubCheckpoint]:
    giant = vit(1536, 40, 24, use_swiglu_ffn=True)
    for name, shape in (("small", SMALL), ("base", BASE), ("large", LARGE), ("giant", giant)):
        config = {key: value for key, value in shape.items() if key != "intermediate_size"}
        with_registers = {**config, "patch_size": 14, "image_size": 518}
        yield classifier(f"facebook/dinov2-{name}", "dinov2", {**config, "image_size": 518})
        yield classifier(
            f"facebook/dinov2-{name}-imagenet1k-1-layer",
            "dinov2",
            {**config, "image_size": 518, **IMAGENET},
        )
        yield classifier(f"facebook/dinov2-with-registers-{name}", "dinov2_with_registers", with_registers)
    for name, shape in (
        ("small", SMALL),
        ("base", BASE),
        ("large", LARGE),
        ("base-4", {**BASE, "patch_size": 4}),
        ("large-7", {**LARGE, "patch_size": 7}),
    ):
        yield classifier(f"facebook/vit-msn-{name}", "vit_msn", shape)
    yield classifier("facebook/ijepa_vith14_1k", "ijepa", HUGE, license="cc-by-nc-4.0")


def _with_text() -> Iterator[HubCheckpoint]:
    for name, shape, size in (
        ("openai/clip-vit-base-patch32", {**BASE, "patch_size": 32}, 224),
        ("openai/clip-vit-base-patch16", {**BASE, "patch_size": 16}, 224),
        ("openai/clip-vit-large-patch14", {**LARGE, "patch_size": 14}, 224),
        ("openai/clip-vit-large-patch14-336", {**LARGE, "patch_size": 14}, 336),
        ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", {**BASE, "patch_size": 32, "hidden_act": "gelu"}, 224),
        ("laion/CLIP-ViT-H-14-laion2B-s32B-b79K", {**HUGE, "hidden_act": "gelu"}, 224),
    ):
        config = {"vision_config": {**shape, "image_size": size}}
        yield classifier(name, "clip", config, size=size, license="mit", normalization="clip")
    so400m = {
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "num_attention_heads": 16,
        "patch_size": 14,
    }
    for name, shape, size in (
        ("siglip-base-patch16-224", BASE, 224),
        ("siglip-base-patch16-256", BASE, 256),
        ("siglip-base-patch16-384", BASE, 384),
        ("siglip-large-patch16-256", LARGE, 256),
        ("siglip-so400m-patch14-384", so400m, 384),
        ("siglip2-base-patch16-224", BASE, 224),
        ("siglip2-large-patch16-256", LARGE, 256),
    ):
        config = {"vision_config": {**shape, "image_size": size}}
        yield classifier(f"google/{name}", "siglip", config, size=size, normalization="half")
    naflex = {"vision_config": BASE}
    yield classifier("google/siglip2-base-patch16-naflex", "siglip2", naflex, size=256, normalization="half")


def _swins() -> Iterator[HubCheckpoint]:
    shapes = {
        "tiny": {"embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24]},
        "small": {"embed_dim": 96, "depths": [2, 2, 18, 2], "num_heads": [3, 6, 12, 24]},
        "base": {"embed_dim": 128, "depths": [2, 2, 18, 2], "num_heads": [4, 8, 16, 32]},
        "large": {"embed_dim": 192, "depths": [2, 2, 18, 2], "num_heads": [6, 12, 24, 48]},
    }
    for name, window, size, suffix, head in (
        ("tiny", 7, 224, "", IMAGENET),
        ("small", 7, 224, "", IMAGENET),
        ("base", 7, 224, "", IMAGENET),
        ("base", 12, 384, "", IMAGENET),
        ("large", 7, 224, "", IMAGENET),
        ("large", 12, 384, "", IMAGENET),
        ("base", 7, 224, "-in22k", IMAGENET_22K),
        ("large", 7, 224, "-in22k", IMAGENET_22K),
    ):
        config = {**shapes[name], "window_size": window, "image_size": size, **head}
        yield classifier(f"microsoft/swin-{name}-patch4-window{window}-{size}{suffix}", "swin", config, size=size)
    for name, window in (("tiny", 8), ("tiny", 16), ("small", 8), ("small", 16), ("base", 8), ("base", 16)):
        config = {**shapes[name], "window_size": window, "image_size": 256, **IMAGENET}
        yield classifier(f"microsoft/swinv2-{name}-patch4-window{window}-256", "swinv2", config, size=256)
    for name in ("base", "large"):
        for window, size in ((16, 256), (24, 384)):
            config = {
                **shapes[name],
                "window_size": window,
                "image_size": size,
                "pretrained_window_sizes": [12, 12, 12, 6],
                **IMAGENET,
            }
            hub_id = f"microsoft/swinv2-{name}-patch4-window12to{window}-192to{size}-22kto1k-ft"
            yield classifier(hub_id, "swinv2", config, size=size)


def _hieras() -> Iterator[HubCheckpoint]:
    for name, width, depths, heads in (
        ("tiny", 96, [1, 2, 7, 2], 1),
        ("small", 96, [1, 2, 11, 2], 1),
        ("base", 96, [2, 3, 16, 3], 1),
        ("base-plus", 112, [2, 3, 16, 3], 2),
        ("large", 144, [2, 6, 36, 4], 2),
        ("huge", 256, [2, 6, 36, 4], 4),
    ):
        config = {
            "embed_dim": width,
            "depths": depths,
            "num_heads": [heads * factor for factor in (1, 2, 4, 8)],
            **IMAGENET,
        }
        yield classifier(f"facebook/hiera-{name}-224-in1k-hf", "hiera", config, license="cc-by-nc-4.0")


def _small_hybrids() -> Iterator[HubCheckpoint]:
    for name, widths, neck, more in (
        ("small", [144, 192, 240], [16, 32, 64, 96, 128, 160, 640], {}),
        ("x-small", [96, 120, 144], [16, 32, 48, 64, 80, 96, 384], {}),
        ("xx-small", [64, 80, 96], [16, 16, 24, 48, 64, 80, 320], {"expand_ratio": 2.0, "hidden_dropout_prob": 0.05}),
    ):
        config = {"hidden_sizes": widths, "neck_hidden_sizes": neck, **more, **IMAGENET}
        yield classifier(f"apple/mobilevit-{name}", "mobilevit", config, size=256, license="other", normalization="bgr")
    yield classifier(
        "apple/mobilevitv2-1.0-imagenet1k-256",
        "mobilevitv2",
        IMAGENET,
        size=256,
        license="other",
        normalization="bgr",
    )
    for name, widths, heads, depths, key in (
        ("128S", [128, 256, 384], [4, 6, 8], [2, 3, 4], 16),
        ("128", [128, 256, 384], [4, 8, 12], [4, 4, 4], 16),
        ("192", [192, 288, 384], [3, 5, 6], [4, 4, 4], 32),
        ("256", [256, 384, 512], [4, 6, 8], [4, 4, 4], 32),
        ("384", [384, 512, 768], [6, 9, 12], [4, 4, 4], 32),
    ):
        config = {
            "hidden_sizes": widths,
            "num_attention_heads": heads,
            "depths": depths,
            "key_dim": [key] * 3,
            "down_ops": [
                ["Subsample", key, widths[0] // key, 4, 2, 2],
                ["Subsample", key, widths[1] // key, 4, 2, 2],
            ],
            **IMAGENET,
        }
        yield classifier(f"facebook/levit-{name}", "levit", config)
    for name, depths, widths in (
        ("xs", [3, 3, 6, 4], [48, 56, 112, 220]),
        ("s", [3, 3, 9, 6], [48, 64, 168, 224]),
        ("l1", [4, 3, 10, 5], [48, 96, 192, 384]),
        ("l3", [4, 4, 12, 6], [64, 128, 320, 512]),
    ):
        yield classifier(
            f"MBZUAI/swiftformer-{name}", "swiftformer", {"depths": depths, "embed_dims": widths, **IMAGENET}
        )


def _pyramids() -> Iterator[HubCheckpoint]:
    wide, wider = [64, 128, 320, 512], [96, 192, 384, 768]
    for name, depths, widths in (
        ("s12", [2, 2, 6, 2], wide),
        ("s24", [4, 4, 12, 4], wide),
        ("s36", [6, 6, 18, 6], wide),
        ("m36", [6, 6, 18, 6], wider),
        ("m48", [8, 8, 24, 8], wider),
    ):
        config = {"depths": depths, "hidden_sizes": widths, **IMAGENET}
        yield classifier(f"sail/poolformer_{name}", "poolformer", config)
    for name, depths in (
        ("tiny", [2, 2, 2, 2]),
        ("small", [3, 4, 6, 3]),
        ("medium", [3, 4, 18, 3]),
        ("large", [3, 8, 27, 3]),
    ):
        yield classifier(f"Zetatech/pvt-{name}-224", "pvt", {"depths": depths, **IMAGENET})
    yield classifier("OpenGVLab/pvt_v2_b0", "pvt_v2", IMAGENET)
    for name, depths, more in (
        ("b1", [2, 2, 2, 2], {}),
        ("b2", [3, 4, 6, 3], {}),
        ("b2_linear", [3, 4, 6, 3], {"linear_attention": True}),
        ("b3", [3, 4, 18, 3], {}),
        ("b4", [3, 8, 27, 3], {}),
        ("b5", [3, 6, 40, 3], {"mlp_ratios": [4, 4, 4, 4]}),
    ):
        config = {"hidden_sizes": wide, "depths": depths, **more, **IMAGENET}
        yield classifier(f"OpenGVLab/pvt_v2_{name}", "pvt_v2", config)
    for name, depths in (("13", [1, 2, 10]), ("21", [1, 4, 16])):
        for suffix, size in (("", 224), ("-384", 384)):
            yield classifier(f"microsoft/cvt-{name}{suffix}", "cvt", {"depth": depths, **IMAGENET}, size=size)
    for name, depths, width in (("tiny", 6, 96), ("small", 18, 96), ("base", 18, 128)):
        for suffix, levels in (("", 2), ("-lrf", 3)):
            config = {
                "embed_dim": width,
                "hidden_sizes": [width * factor for factor in (2, 4, 8, 8)],
                "depths": [2, 2, depths, 2],
                "focal_levels": [levels] * 4,
                **IMAGENET,
            }
            yield classifier(f"microsoft/focalnet-{name}{suffix}", "focalnet", config, license="mit")


TRANSFORMERS: tuple[HubCheckpoint, ...] = (
    *_vits(),
    *_deits(),
    *_beits(),
    *_self_supervised(),
    *_with_text(),
    *_swins(),
    *_hieras(),
    *_small_hybrids(),
    *_pyramids(),
)
