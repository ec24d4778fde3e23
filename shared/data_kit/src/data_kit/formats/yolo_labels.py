"""YOLO label files: a line for each object, in shares of the image's width and height.

`class cx cy w h` is a box, `class x1 y1 x2 y2 x3 y3 …` an outline, and with `kpt_shape` in `data.yaml` a box is
followed by its keypoints. Nine numbers are both an outline of four corners and an oriented box.
"""

import math
from dataclasses import dataclass

from data_kit.dataset import Box, Instance, Keypoint
from data_kit.findings import FindingCollector
from data_kit.geometry import OVERSHOOT_PIXELS, clip_box, clip_points, has_area, overshoot, polygon_instance

TOLERANCE = 0.01
"""Distance outside 0…1 that still counts as a rounding error."""

_PIXELS = "Coordinates are shares of the image between 0 and 1: divide x by the width and y by the height."


class LineError(Exception):
    """An error in one line."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.code, self.message, self.fix = code, message, fix


@dataclass(frozen=True)
class LabelParser:
    """Parser of one data set's label files."""

    findings: FindingCollector
    num_classes: int
    keypoint_shape: tuple[int, int] | None

    def parse(self, file: str, text: str, size: tuple[int, int]) -> tuple[Instance, ...]:
        """Parse the objects of one file. A wrong line is a finding, and the others are still read."""
        instances: dict[str, Instance] = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            if line in instances:
                self.findings.warning(
                    "label_repeated",
                    file,
                    "This line stands here twice.",
                    "Remove one of them.",
                    line=number,
                )
                continue
            try:
                instance = self._parse_line(line, size)
            except LineError as error:
                self.findings.error(error.code, file, error.message, error.fix, line=number)
                continue
            self._warn(file, number, instance, size)
            if has_area(clip_box(instance.box, size)):
                instances[line] = instance
        return tuple(_clipped(instance, size) for instance in instances.values())

    def _warn(self, file: str, number: int, instance: Instance, size: tuple[int, int]) -> None:
        if not has_area(clip_box(instance.box, size)):
            self.findings.warning(
                "box_empty",
                file,
                "This object has no area, and is left out.",
                "Fix or remove it.",
                line=number,
            )
        elif overshoot(instance.box, size) > OVERSHOOT_PIXELS + TOLERANCE * max(size):
            self.findings.warning(
                "box_clipped",
                file,
                "This box reaches over the edge of the image, and is cut there.",
                "Nothing needs to be done; or cut it in the label.",
                line=number,
            )

    def _parse_line(self, line: str, size: tuple[int, int]) -> Instance:
        class_id, values = self._numbers(line.split())
        width, height = size
        if self.keypoint_shape is not None:
            count, dimensions = self.keypoint_shape
            self._expect(len(values) == 4 + count * dimensions, values, f"{5 + count * dimensions}, by `kpt_shape`")
            return Instance(class_id, _box(values[:4], size), keypoints=_keypoints(values[4:], dimensions, size))
        if len(values) == 4:
            return Instance(class_id, _box(values, size))
        self._expect(len(values) >= 6 and len(values) % 2 == 0, values, "5 for a box, or 7, 9, 11 … for an outline")
        _check_inside(values)
        pairs = zip(values[0::2], values[1::2], strict=True)
        return polygon_instance(class_id, [clip_points([(x * width, y * height) for x, y in pairs], size)])

    def _numbers(self, columns: list[str]) -> tuple[int, list[float]]:
        try:
            first, *values = [float(column) for column in columns]
        except ValueError as error:
            message = f"This is not a line of numbers: {error}."
            raise LineError("label_malformed", message, "Write `class cx cy w h`.") from error
        if not all(math.isfinite(value) for value in (first, *values)):
            raise LineError("label_malformed", "A number is not finite.", "Write `class cx cy w h`.")
        if not first.is_integer() or not 0 <= first < self.num_classes:
            raise LineError(
                "class_unknown",
                f"Class {columns[0]} does not exist: `names` in data.yaml has {self.num_classes}, counted from 0.",
                "Fix the number, or add the class to `names`.",
            )
        return int(first), values

    @staticmethod
    def _expect(holds: bool, values: list[float], expected: str) -> None:
        if not holds:
            raise LineError(
                "label_malformed",
                f"The line has {len(values) + 1} numbers; expected {expected}.",
                "Complete the line, or remove it.",
            )


def _check_inside(values: list[float]) -> None:
    outside = next((value for value in values if not -TOLERANCE <= value <= 1 + TOLERANCE), None)
    if outside is not None:
        raise LineError("label_outside_image", f"{outside:g} lies outside the image.", _PIXELS)


def _box(values: list[float], size: tuple[int, int]) -> Box:
    _check_inside(values)
    if min(values[2:]) < 0:
        raise LineError("label_malformed", "A width or height is negative.", "Write `class cx cy w h`.")
    (center_x, center_y, width, height), (image_width, image_height) = values, size
    return (
        (center_x - width / 2) * image_width,
        (center_y - height / 2) * image_height,
        (center_x + width / 2) * image_width,
        (center_y + height / 2) * image_height,
    )


def _keypoints(values: list[float], dimensions: int, size: tuple[int, int]) -> tuple[Keypoint, ...]:
    keypoints: list[Keypoint] = []
    for index in range(0, len(values), dimensions):
        x, y = values[index : index + 2]
        seen = values[index + 2] if dimensions == 3 else 2.0 * ((x, y) != (0.0, 0.0))
        if seen not in (0.0, 1.0, 2.0):
            raise LineError("label_malformed", f"Visibility {seen:g} must be 0, 1 or 2.", "Fix the keypoint.")
        if seen:
            _check_inside([x, y])
        keypoints.append((x * size[0], y * size[1], int(seen)) if seen else (0.0, 0.0, 0))
    return tuple(keypoints)


def _clipped(instance: Instance, size: tuple[int, int]) -> Instance:
    """Clip boxes at the image's edge. Outlines were clipped before."""
    if instance.polygons:
        return instance
    return Instance(instance.class_id, clip_box(instance.box, size), keypoints=instance.keypoints)
