"""Boxes, masks, outlines and keypoints drawn over a picture, visible on any background."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from data_kit.dataset import Box, Keypoint, Polygon
from data_kit.drawing.captions import Caption
from data_kit.drawing.palette import Color
from data_kit.masks import Mask

_SUPERSAMPLING = 2
"""Factor by which shapes are drawn larger and then reduced, for smooth edges."""
_FILL_ALPHA, _OUTLINE_ALPHA = 96, 255
_HALO = (0, 0, 0, 150)
"""Dark border on both sides of every line."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """An object, in pixels of its image. Its box is drawn if it has neither corners, polygons nor a mask."""

    caption: Caption
    box: Box
    corners: Polygon | None = None
    """Outline of an oriented box."""
    polygons: Sequence[Polygon] = ()
    mask: Mask | None = None
    keypoints: Sequence[Keypoint] = ()

    @property
    def area(self) -> float:
        """Area of the box."""
        x1, y1, x2, y2 = self.box
        return (x2 - x1) * (y2 - y1)


def draw_shapes(
    picture: Image.Image, shapes: Sequence[Shape], *, factor: float, skeleton: Sequence[Sequence[int]] = ()
) -> Image.Image:
    """Return a copy with shapes, small ones over large ones. `factor` is the scale of the picture.

    `skeleton` has pairs of keypoints with a line between.
    """
    layer = Image.new("RGBA", (picture.width * _SUPERSAMPLING, picture.height * _SUPERSAMPLING))
    pen = _Pen(layer, factor * _SUPERSAMPLING, skeleton)
    for shape in sorted(shapes, key=lambda shape: shape.area, reverse=True):
        pen.draw(shape)
    return Image.alpha_composite(picture.convert("RGBA"), layer.reduce(_SUPERSAMPLING)).convert("RGB")


def draw_frame(picture: Image.Image, color: Color) -> None:
    """Draw a line along the picture's edge."""
    right, bottom = picture.size
    ImageDraw.Draw(picture).rectangle((0, 0, right - 1, bottom - 1), outline=color, width=_stroke(picture))


def _stroke(picture: Image.Image) -> int:
    """Return a width of lines of which at least one pixel is left after the picture is reduced."""
    return max(_SUPERSAMPLING + 1, round(max(picture.size) / 320))


class _Pen:
    """Draws shapes on a transparent layer."""

    def __init__(self, layer: Image.Image, factor: float, skeleton: Sequence[Sequence[int]]) -> None:
        self._layer, self._factor, self._skeleton = layer, factor, skeleton
        self._drawing = ImageDraw.Draw(layer)
        self._stroke = _stroke(layer)

    def draw(self, shape: Shape) -> None:
        color = shape.caption.color
        if shape.mask is not None:
            self._mask(shape.mask, color)
        for polygon in shape.polygons:
            points = self._points(polygon)
            self._drawing.polygon(points, fill=(*color, _FILL_ALPHA))
            self._line([*points, points[0]], color)
        x1, y1, x2, y2 = shape.box
        if shape.corners is not None or (shape.mask is None and not shape.polygons):
            points = self._points(shape.corners or (x1, y1, x2, y1, x2, y2, x1, y2))
            self._line([*points, points[0]], color)
        self._keypoints(shape.keypoints, color)

    def _points(self, polygon: Polygon) -> list[tuple[float, float]]:
        return [(x * self._factor, y * self._factor) for x, y in zip(polygon[0::2], polygon[1::2], strict=True)]

    def _mask(self, mask: Mask, color: Color) -> None:
        whole = Image.fromarray(mask)
        bounds = whole.getbbox()
        if bounds is None:
            return
        part = whole.crop(bounds).convert("L")
        size = [max(1, round(side * self._factor)) for side in part.size]
        border = self._stroke + _SUPERSAMPLING
        inside = Image.new("L", (size[0] + 2 * border, size[1] + 2 * border))
        inside.paste(part.resize((size[0], size[1]), Image.Resampling.BILINEAR), (border, border))
        place = (round(bounds[0] * self._factor) - border, round(bounds[1] * self._factor) - border)
        self._layer.paste((*color, _FILL_ALPHA), place, inside)
        self._layer.paste(_HALO, place, _edge(inside, self._stroke + _SUPERSAMPLING))
        self._layer.paste((*color, _OUTLINE_ALPHA), place, _edge(inside, self._stroke))

    def _line(self, points: Sequence[tuple[float, float]], color: Color) -> None:
        inside = [self._inside(point) for point in points]
        self._drawing.line(inside, fill=_HALO, width=self._stroke + _SUPERSAMPLING, joint="curve")
        self._drawing.line(inside, fill=(*color, _OUTLINE_ALPHA), width=self._stroke, joint="curve")

    def _inside(self, point: tuple[float, float]) -> tuple[float, float]:
        """Move a point inward, so that a line along the edge of the picture is not cut in half."""
        width, height = self._layer.size
        margin = self._stroke / 2
        return (min(max(point[0], margin), width - 1 - margin), min(max(point[1], margin), height - 1 - margin))

    def _keypoints(self, keypoints: Sequence[Keypoint], color: Color) -> None:
        points = {
            index: (x * self._factor, y * self._factor)
            for index, (x, y, visibility) in enumerate(keypoints) if visibility
        }  # fmt: skip
        for one, other in self._skeleton:
            if one in points and other in points:
                self._line([points[one], points[other]], color)
        for index, point in points.items():
            is_hidden = keypoints[index][2] == 1
            self._drawing.circle(point, 2 * self._stroke + _SUPERSAMPLING, fill=_HALO)
            self._drawing.circle(
                point, 2 * self._stroke, fill="white" if is_hidden else color, outline=color, width=self._stroke
            )


def _edge(mask: Image.Image, width: int) -> Image.Image:
    """Return the edge of a mask, about `width` pixels wide."""
    window = (width + 1) // 2 * 2 + 1  # odd, and one pixel wider than what lies on both sides of the border
    return ImageChops.subtract(mask.filter(ImageFilter.MaxFilter(window)), mask.filter(ImageFilter.MinFilter(window)))
