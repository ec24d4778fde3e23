"""What the library cannot tell of its architectures: which are best known, and how their names are written."""

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
