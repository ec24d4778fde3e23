"""Predictions drawn into their image."""

from PIL import Image

from data_kit.drawing import Caption, Row, Shape, draw_names, draw_shapes, with_bars, with_legend
from data_kit.masks import decode_rle
from trainer_kit.inference.network import Description
from vision_contracts import FoundObject, ImagePrediction, Region

LONGEST_SIDE = 1280
SHORTEST_SIDE = 320
"""Smaller images are enlarged, so that the text in them can be read."""
BAR_LABELS = 5
KEYPOINT_SCORE = 0.5
_VISIBLE, _UNLABELLED = 2, 0


def draw(image: Image.Image, prediction: ImagePrediction, description: Description) -> Image.Image:
    """Return a new image with the prediction drawn into it."""
    factor = _factor(image)
    picture = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC)
    if prediction.labels:
        labels = prediction.labels[:BAR_LABELS]
        return with_bars(
            picture, [Row(Caption(each.class_id, each.label, f"{each.score:.1%}"), each.score) for each in labels]
        )
    if prediction.regions:
        shapes = [_shape_of_region(region, description.background) for region in prediction.regions]
        rows = [Row(shape.caption, region.share) for shape, region in zip(shapes, prediction.regions, strict=True)]
        return with_legend(draw_shapes(picture, shapes, factor=factor), rows)
    shapes = [_shape_of_object(found) for found in prediction.objects]
    picture = draw_shapes(picture, shapes, factor=factor, skeleton=description.skeleton)
    draw_names(picture, shapes, factor=factor)
    return picture


def _factor(image: Image.Image) -> float:
    if max(image.size) > LONGEST_SIDE:
        return LONGEST_SIDE / max(image.size)
    return min(max(1.0, SHORTEST_SIDE / min(image.size)), LONGEST_SIDE / max(image.size))


def _shape_of_region(region: Region, background: int | None) -> Shape:
    mask = decode_rle(region.mask.model_dump())
    height, width = mask.shape
    is_after_background = background is not None and region.class_id > background
    class_id = region.class_id - is_after_background  # that of the data set, which does not count a background
    return Shape(Caption(class_id, region.label, f"{region.share:.0%}"), (0, 0, width, height), mask=mask)


def _shape_of_object(found: FoundObject) -> Shape:
    return Shape(
        Caption(found.class_id, found.label, f"{found.score:.2f}"),
        found.box,
        corners=tuple(found.corners) if found.corners is not None else None,
        mask=decode_rle(found.mask.model_dump()) if found.mask is not None else None,
        keypoints=[
            (point.x, point.y, _VISIBLE if point.score >= KEYPOINT_SCORE else _UNLABELLED)
            for point in found.keypoints or []
        ],
    )
