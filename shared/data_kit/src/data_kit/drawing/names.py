"""Names of classes at their objects."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from data_kit.drawing.captions import Caption, text_size
from data_kit.drawing.fonts import FittedText
from data_kit.drawing.palette import text_color
from data_kit.drawing.shapes import Shape

_MAX_ALWAYS_NAMED, _ROOMY_SIDE = 8, 320
"""Most objects that all have their names, and the shorter side that this takes; else only those larger than a name."""
_LONGEST_SHARE = 0.8
"""Share of the picture's width that a name may have."""

_Area = tuple[float, float, float, float]


def draw_names(
    picture: Image.Image, shapes: Sequence[Shape], *, factor: float, of_image: Caption | None = None
) -> None:
    """Draw names at as many objects as possible, in this order, none over another.

    Classes without room for any are listed in the lower left corner. `of_image` stands in the upper left corner.
    """
    names = _Names(picture)
    if of_image is not None:
        names.put(of_image, [(0, 0)])
    unnamed: dict[int, Caption] = {}
    named: set[int] = set()
    is_roomy = len(shapes) <= _MAX_ALWAYS_NAMED and min(picture.size) >= _ROOMY_SIDE
    for shape in shapes:
        width, height = names.extent(shape.caption)
        x1, y1, x2, y2 = (value * factor for value in shape.box)
        is_worth_it = is_roomy or (x2 - x1) * (y2 - y1) > 1.5 * width * height
        places = [(x1, y1 - height), (x1, y2), (x1, y1), (x2 - width, y1 - height)]
        if is_worth_it and names.put(shape.caption, places):
            named.add(shape.caption.class_id)
        else:
            unnamed[shape.caption.class_id] = Caption(shape.caption.class_id, shape.caption.name)
    names.list([caption for class_id, caption in unnamed.items() if class_id not in named])


class _Names:
    """Names in a picture, and the places that they have taken."""

    def __init__(self, picture: Image.Image) -> None:
        self._picture = picture
        self._drawing = ImageDraw.Draw(picture)
        self._size = text_size(picture)
        self._padding = self._size // 4
        self._taken: list[_Area] = []
        self._fitted: dict[Caption, FittedText] = {}

    def extent(self, caption: Caption) -> tuple[float, float]:
        """Return width and height."""
        return self._fit(caption).width + 2 * self._padding, self._size + 2 * self._padding

    def put(self, caption: Caption, places: Sequence[tuple[float, float]]) -> bool:
        """Write it at the first free one of `places`, left and top each. Return whether there is one."""
        width, height = self.extent(caption)
        for left, top in places:
            left = max(0.0, min(left, self._picture.width - width))
            area = (left, top, left + width, top + height)
            if 0 <= top <= self._picture.height - height and not any(_overlap(area, other) for other in self._taken):
                self._taken.append(area)
                self._drawing.rectangle(area, fill=caption.color)
                fill = text_color(caption.color)
                self._fit(caption).draw(self._drawing, left + self._padding, top + height / 2, fill)
                return True
        return False

    def list(self, captions: Sequence[Caption]) -> None:
        """Write them above each other in the lower left corner, while there is room."""
        bottom = float(self._picture.height)
        for caption in captions:
            bottom -= self.extent(caption)[1]
            self.put(caption, [(0, bottom)])

    def _fit(self, caption: Caption) -> FittedText:
        if caption not in self._fitted:
            self._fitted[caption] = caption.fit(self._size, self._picture.width * _LONGEST_SHARE)
        return self._fitted[caption]


def _overlap(one: _Area, other: _Area) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
