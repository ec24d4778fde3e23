"""Labels drawn over a picture, readable at every size and for people with a colour vision deficiency."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageColor, ImageDraw

from vision_api.datasets.previews.fonts import FittedText, fit_text, shorten
from vision_api.datasets.processing.stored_samples import StoredInstance, StoredSample

Color = tuple[int, int, int]
_Area = tuple[float, float, float, float]

PALETTE = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
"""Okabe and Ito, https://jfly.uni-koeln.de/color: distinct also for people who see no red or no green."""

_SUPERSAMPLING = 2
"""Factor by which shapes are drawn larger and then reduced, for smooth edges."""
_FILL_ALPHA, _OUTLINE_ALPHA = 96, 255
_HALO = (0, 0, 0, 150)
"""Dark border on both sides of every line, visible on any background."""
_MIN_NAMED_SIDE = 128
"""Pictures with a shorter side than this have room for colours only."""
_MAX_ALWAYS_NAMED, _ROOMY_SIDE = 8, 320
"""Most objects that all have their names, and the shorter side that this takes; else only those larger than a name."""


@dataclass(frozen=True)
class Legend:
    """Meaning of labels, the same for all pictures of a data set."""

    class_names: Sequence[str]
    skeleton: Sequence[Sequence[int]] = ()
    """Pairs of keypoints with a line between."""
    is_oriented: bool = False
    """An outline of four corners is a turned box, not a mask."""


def color_of(class_id: int) -> Color:
    """Return the colour of a class. After the palette come its colours mixed with white, then with black."""
    turn, index = divmod(class_id, len(PALETTE))
    red, green, blue = ImageColor.getrgb(PALETTE[index])[:3]
    share, to = ((0.0, 0), (0.5, 255), (0.4, 0))[turn % 3]
    return (_mix(red, to, share), _mix(green, to, share), _mix(blue, to, share))


def _mix(value: int, to: int, share: float) -> int:
    return round(value * (1 - share) + to * share)


def draw_labels(picture: Image.Image, sample: StoredSample, legend: Legend, factor: float) -> Image.Image:
    """Return a copy with labels, which are in pixels of the stored image. `factor` is the scale of the picture."""
    largest_first = sorted(sample.instances, key=_area, reverse=True)
    layer = Image.new("RGBA", (picture.width * _SUPERSAMPLING, picture.height * _SUPERSAMPLING))
    shapes = _Shapes(ImageDraw.Draw(layer), factor * _SUPERSAMPLING, _stroke(layer), legend)
    for instance in largest_first:
        shapes.add(instance)
    labelled = Image.alpha_composite(picture.convert("RGBA"), layer.reduce(_SUPERSAMPLING)).convert("RGB")
    if min(labelled.size) >= _MIN_NAMED_SIDE:
        names = _Names(labelled, legend)
        if sample.class_id is not None:
            names.add_for_image(sample.class_id)
        names.add(largest_first, factor)
    elif sample.class_id is not None:
        _frame(labelled, color_of(sample.class_id))
    return labelled


def _stroke(picture: Image.Image) -> int:
    """Return a width of lines of which at least one pixel is left after the picture is reduced."""
    return max(_SUPERSAMPLING + 1, round(max(picture.size) / 320))


def _area(instance: StoredInstance) -> float:
    x1, y1, x2, y2 = instance.box
    return (x2 - x1) * (y2 - y1)


def _frame(picture: Image.Image, color: Color) -> None:
    right, bottom = picture.size
    ImageDraw.Draw(picture).rectangle((0, 0, right - 1, bottom - 1), outline=color, width=_stroke(picture))


@dataclass(frozen=True)
class _Shapes:
    """Shapes of labels, all but names, on a transparent layer."""

    drawing: ImageDraw.ImageDraw
    factor: float
    stroke: int
    legend: Legend

    def add(self, instance: StoredInstance) -> None:
        color = color_of(instance.class_id)
        for polygon in instance.polygons:
            points = [(x * self.factor, y * self.factor) for x, y in zip(polygon[0::2], polygon[1::2], strict=True)]
            if not self.legend.is_oriented:
                self.drawing.polygon(points, fill=(*color, _FILL_ALPHA))
            self._line([*points, points[0]], color)
        if not instance.polygons:
            x1, y1, x2, y2 = instance.box
            corners = [(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)]
            self._line([(x * self.factor, y * self.factor) for x, y in corners], color)
        self._keypoints(instance, color)

    def _line(self, points: Sequence[tuple[float, float]], color: Color) -> None:
        inside = [self._inside(point) for point in points]
        self.drawing.line(inside, fill=_HALO, width=self.stroke + _SUPERSAMPLING, joint="curve")
        self.drawing.line(inside, fill=(*color, _OUTLINE_ALPHA), width=self.stroke, joint="curve")

    def _inside(self, point: tuple[float, float]) -> tuple[float, float]:
        """Move a point inward, so that a line along the edge of the picture is not cut in half."""
        width, height = self.drawing.im.size
        margin = self.stroke / 2
        return (min(max(point[0], margin), width - 1 - margin), min(max(point[1], margin), height - 1 - margin))

    def _keypoints(self, instance: StoredInstance, color: Color) -> None:
        points = {
            index: (x * self.factor, y * self.factor)
            for index, (x, y, seen) in enumerate(instance.keypoints) if seen
        }  # fmt: skip
        for one, other in self.legend.skeleton:
            if one in points and other in points:
                self._line([points[one], points[other]], color)
        for index, point in points.items():
            is_hidden = instance.keypoints[index][2] == 1
            self.drawing.circle(point, 2 * self.stroke + _SUPERSAMPLING, fill=_HALO)
            self.drawing.circle(
                point, 2 * self.stroke, fill="white" if is_hidden else color, outline=color, width=self.stroke
            )


@dataclass
class _Names:
    """Names of classes at their objects, none over another; those without room stand in a corner."""

    picture: Image.Image
    legend: Legend
    taken: list[_Area] = field(default_factory=list[_Area])

    def __post_init__(self) -> None:
        self._drawing = ImageDraw.Draw(self.picture)
        self._size = min(max(11, round(max(self.picture.size) / 45)), 28)
        self._padding = self._size // 4

    def add_for_image(self, class_id: int) -> None:
        """Draw the class of the image in the upper left corner."""
        self._put(class_id, self._fitted_text(class_id), [(0, 0)])

    def add(self, instances: Sequence[StoredInstance], factor: float) -> None:
        """Draw names at as many objects as possible, in this order."""
        unnamed: dict[int, None] = {}
        named: set[int] = set()
        is_roomy = len(instances) <= _MAX_ALWAYS_NAMED and min(self.picture.size) >= _ROOMY_SIDE
        fitted_texts = {class_id: self._fitted_text(class_id) for class_id in {each.class_id for each in instances}}
        for instance in instances:
            width, height = self._extent(fitted_texts[instance.class_id])
            x1, y1, x2, y2 = (value * factor for value in instance.box)
            is_worth_it = is_roomy or (x2 - x1) * (y2 - y1) > 1.5 * width * height
            places = [(x1, y1 - height), (x1, y2), (x1, y1), (x2 - width, y1 - height)]
            if is_worth_it and self._put(instance.class_id, fitted_texts[instance.class_id], places):
                named.add(instance.class_id)
            else:
                unnamed[instance.class_id] = None
        self._list([class_id for class_id in unnamed if class_id not in named], fitted_texts)

    def _list(self, class_ids: Sequence[int], fitted_texts: Mapping[int, FittedText]) -> None:
        bottom = float(self.picture.height)
        for class_id in class_ids:
            bottom -= self._extent(fitted_texts[class_id])[1]
            self._put(class_id, fitted_texts[class_id], [(0, bottom)])

    def _fitted_text(self, class_id: int) -> FittedText:
        fitted_text = fit_text(self.legend.class_names[class_id], self._size, fallback=f"#{class_id}")
        return shorten(fitted_text, self.picture.width * 0.8)

    def _extent(self, fitted_text: FittedText) -> tuple[float, float]:
        return fitted_text.font.getlength(fitted_text.text) + 2 * self._padding, self._size + 2 * self._padding

    def _put(self, class_id: int, fitted_text: FittedText, places: Sequence[tuple[float, float]]) -> bool:
        width, height = self._extent(fitted_text)
        for left, top in places:
            left = max(0.0, min(left, self.picture.width - width))
            area = (left, top, left + width, top + height)
            if 0 <= top <= self.picture.height - height and not any(_overlap(area, other) for other in self.taken):
                self.taken.append(area)
                color = color_of(class_id)
                self._drawing.rectangle(area, fill=color)
                middle = (left + self._padding, top + height / 2)
                self._drawing.text(
                    middle, fitted_text.text, fill=_text_color(color), font=fitted_text.font, anchor="lm"
                )
                return True
        return False


def _overlap(one: _Area, other: _Area) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _text_color(color: Color) -> str:
    """Return black or white, whichever contrasts more (Rec. 601)."""
    red, green, blue = color
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 110 else "white"
