"""Predictions drawn into their image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data_kit.masks import decode_rle
from trainer_kit.inference.network import Description
from vision_contracts import FoundObject, ImagePrediction, Label

LONGEST_SIDE = 1280
SHORTEST_SIDE = 320
"""Smaller images are enlarged, so that the text in them can be read."""
BAR_LABELS = 5
PALETTE = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")
"""Colours of Okabe and Ito, which the colour-blind can distinguish."""
KEYPOINT_SCORE = 0.5


def draw(image: Image.Image, prediction: ImagePrediction, description: Description) -> Image.Image:
    """Return a new image with the prediction drawn into it."""
    scale = _scale(image)
    picture = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    for region in reversed(prediction.regions):
        picture = _tint(picture, region.mask.model_dump(), _color(region.class_id))
    for found in prediction.objects:
        if found.mask is not None:
            picture = _tint(picture, found.mask.model_dump(), _color(found.class_id))
    canvas = ImageDraw.Draw(picture)
    font = ImageFont.load_default(max(12, round(min(picture.size) / 32)))
    for found in reversed(prediction.objects):
        _draw_object(canvas, found, scale, font, description.skeleton)
    if prediction.labels:
        return _with_bars(picture, prediction.labels[:BAR_LABELS], font)
    if prediction.regions:
        rows = [(region.label, f"{region.share:.0%}", _color(region.class_id)) for region in prediction.regions]
        return _with_legend(picture, rows, font)
    return picture


def _scale(image: Image.Image) -> float:
    if max(image.size) > LONGEST_SIDE:
        return LONGEST_SIDE / max(image.size)
    return min(max(1.0, SHORTEST_SIDE / min(image.size)), LONGEST_SIDE / max(image.size))


def _color(class_id: int) -> str:
    return PALETTE[class_id % len(PALETTE)]


def _tint(picture: Image.Image, rle: dict[str, Any], color: str) -> Image.Image:
    mask = Image.fromarray(decode_rle(rle).astype(np.uint8) * 140).resize(picture.size, Image.Resampling.BILINEAR)
    return Image.composite(Image.new("RGB", picture.size, color), picture, mask)


def _draw_object(
    canvas: ImageDraw.ImageDraw,
    found: FoundObject,
    scale: float,
    font: Any,
    skeleton: Sequence[tuple[int, int]],
) -> None:
    color, width = _color(found.class_id), max(2, round(font.size / 8))
    if found.corners is not None:
        outline = [value * scale for value in found.corners]
        canvas.line([*outline, *outline[:2]], fill=color, width=width, joint="curve")
    else:
        canvas.rectangle([value * scale for value in found.box], outline=color, width=width)
    _draw_keypoints(canvas, found, scale, width, skeleton)
    left, top = found.box[0] * scale, found.box[1] * scale
    _write(canvas, f"{found.label} {found.score:.2f}", left, top, font, color)


def _draw_keypoints(
    canvas: ImageDraw.ImageDraw, found: FoundObject, scale: float, width: int, skeleton: Sequence[tuple[int, int]]
) -> None:
    points = found.keypoints or []
    places = [(point.x * scale, point.y * scale) if point.score >= KEYPOINT_SCORE else None for point in points]
    for one, other in skeleton:
        ends = (places[one], places[other]) if max(one, other) < len(places) else (None, None)
        if ends[0] is not None and ends[1] is not None:
            canvas.line([*ends[0], *ends[1]], fill="white", width=width)
    for number, place in enumerate(places):
        if place is not None:
            canvas.circle(place, 2 * width, fill=_color(number), outline="black")


def _write(canvas: ImageDraw.ImageDraw, text: str, left: float, top: float, font: Any, color: str) -> None:
    """Write a label above the object, or inside it if there is no room above."""
    height = font.size * 1.3
    left = max(0, min(left, canvas.im.size[0] - canvas.textlength(text, font) - 4))
    top = top - height if top >= height else top
    canvas.rectangle([left, top, left + canvas.textlength(text, font) + 4, top + height], fill=color)
    canvas.text((left + 2, top), text, fill="black", font=font)


def _with_bars(picture: Image.Image, labels: Sequence[Label], font: Any) -> Image.Image:
    row = round(font.size * 1.6)
    framed = Image.new("RGB", (picture.width, picture.height + row * len(labels) + 4), "white")
    framed.paste(picture, (0, 0))
    canvas = ImageDraw.Draw(framed)
    for number, label in enumerate(labels):
        top = picture.height + 4 + number * row
        canvas.rectangle([0, top, label.score * framed.width, top + row - 4], fill=PALETTE[1])
        canvas.text((4, top), f"{label.label}  {label.score:.1%}", fill="black", font=font)
    return framed


def _with_legend(picture: Image.Image, rows: Sequence[tuple[str, str, str]], font: Any) -> Image.Image:
    row = round(font.size * 1.6)
    framed = Image.new("RGB", (picture.width, picture.height + row * len(rows) + 4), "white")
    framed.paste(picture, (0, 0))
    canvas = ImageDraw.Draw(framed)
    for number, (label, share, color) in enumerate(rows):
        top = picture.height + 4 + number * row
        canvas.rectangle([4, top, 4 + font.size, top + font.size], fill=color, outline="black")
        canvas.text((10 + font.size, top), f"{label}  {share}", fill="black", font=font)
    return framed
