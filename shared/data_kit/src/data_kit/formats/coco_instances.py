"""One entry of COCO's `annotations`: box, outline or run-length mask, keypoints."""

import math
from dataclasses import dataclass
from typing import Any, cast

from data_kit.dataset import Box, Instance, Keypoint, Polygon
from data_kit.findings import FindingCollector
from data_kit.geometry import (
    OVERSHOOT_PIXELS,
    area,
    bounds,
    clip_box,
    clip_points,
    corners,
    has_area,
    overshoot,
    polygon_instance,
)
from data_kit.masks import decode_rle, outlines


class AnnotationError(ValueError):
    """An error in one annotation."""

    def __init__(self, code: str, message: str, fix: str = "Fix or remove this annotation.") -> None:
        super().__init__(message)
        self.code, self.message, self.fix = code, message, fix


@dataclass
class InstanceReader:
    """Reader of one file's annotations."""

    findings: FindingCollector
    file: str
    class_ids: dict[int, int]
    """Class by category id."""
    num_keypoints: int = 0
    """Number for every object. If no category names them, that of the first object with any; 0 until then."""

    def read(self, annotation: dict[str, Any], size: tuple[int, int]) -> Instance | None:
        """Read an annotation; None, and a finding, if it is wrong or empty."""
        label = f"Annotation {annotation.get('id', '?')} of image {annotation['image_id']}"
        try:
            return self._read(annotation, size, label)
        except AnnotationError as error:
            self.findings.error(error.code, self.file, f"{label}: {error.message}", error.fix)
        except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
            self.findings.error(
                "label_malformed",
                self.file,
                f"{label}: {error}.",
                "Write `bbox`, `segmentation` and `keypoints` as COCO has them.",
            )
        return None

    def _read(self, annotation: dict[str, Any], size: tuple[int, int], label: str) -> Instance | None:
        class_id = self.class_ids.get(annotation["category_id"])
        if class_id is None:
            raise AnnotationError(
                "class_unknown",
                f"category {annotation['category_id']} is not in `categories`.",
                "Add the category, or fix the annotation.",
            )
        polygons = self._polygons(annotation.get("segmentation"), size, label)
        given = _box(annotation["bbox"]) if annotation.get("bbox") else (bounds(polygons) if polygons else None)
        if given is None:
            raise AnnotationError("label_malformed", "it has neither `bbox` nor `segmentation`.")
        box = self._fit(given, size, label)
        if box is None:
            return None
        keypoints = _keypoints(annotation.get("keypoints"), self.num_keypoints, size)
        self.num_keypoints = self.num_keypoints or len(keypoints)
        is_crowd = bool(annotation.get("iscrowd"))
        if polygons:
            return polygon_instance(class_id, polygons, box=box, keypoints=keypoints, is_crowd=is_crowd)
        return Instance(class_id, box, keypoints=keypoints, is_crowd=is_crowd)

    def _polygons(self, segmentation: Any, size: tuple[int, int], label: str) -> list[Polygon]:
        if isinstance(segmentation, dict):
            return _outlines_of_mask(cast("dict[str, Any]", segmentation), size)
        given = [_polygon(part) for part in segmentation or ()]
        cut = [(polygon, clip_points(corners(polygon), size)) for polygon in given]
        kept = [(polygon, clipped) for polygon, clipped in cut if area(clipped) > 0]
        if len(kept) < len(given):
            self.findings.warning(
                "outline_empty",
                self.file,
                f"{label}: {len(given) - len(kept)} of the {len(given)} polygons of its outline have no area inside "
                "the image, and are left out.",
                "Fix or remove them.",
            )
        if any(overshoot(bounds([polygon]), size) > OVERSHOOT_PIXELS for polygon, _ in kept):
            self.findings.warning(
                "outline_clipped",
                self.file,
                f"{label}: the outline reaches over the edge of the image, and is cut there.",
                "Nothing needs to be done; or cut it in the label.",
            )
        return [clipped for _, clipped in kept]

    def _fit(self, box: Box, size: tuple[int, int], label: str) -> Box | None:
        clipped = clip_box(box, size)
        if has_area(clipped):
            if overshoot(box, size) > OVERSHOOT_PIXELS:
                self.findings.warning(
                    "box_clipped",
                    self.file,
                    f"{label}: the box reaches over the edge of the image, and is cut there.",
                    "Nothing needs to be done; or cut it in the label.",
                )
            return clipped
        if has_area(box):
            raise AnnotationError(
                "label_outside_image",
                "its box lies outside the image.",
                "Write `bbox` as `[x, y, width, height]` in pixels.",
            )
        self.findings.warning(
            "box_empty",
            self.file,
            f"{label}: it has no area, and is left out.",
            "Fix or remove it.",
        )
        return None


def _numbers(values: Any, what: str) -> list[float]:
    numbers = [float(value) for value in values]
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"`{what}` has a number that is not finite")
    return numbers


def _box(values: Any) -> Box:
    x, y, width, height = _numbers(values, "bbox")
    if min(width, height) < 0:
        raise ValueError("`bbox` has a negative width or height")
    return (x, y, x + width, y + height)


def _outlines_of_mask(rle: dict[str, Any], size: tuple[int, int]) -> list[Polygon]:
    if not rle:
        return []
    if list(rle.get("size", ())) != [size[1], size[0]]:
        raise ValueError(f"`segmentation` must have the image's size, {[size[1], size[0]]}")
    return list(outlines(decode_rle(rle)))


def _polygon(part: Any) -> Polygon:
    values = _numbers(part, "segmentation")
    if len(values) < 6 or len(values) % 2:
        raise ValueError("a polygon in `segmentation` needs at least three corners, as `[x1, y1, x2, y2, …]`")
    return tuple(values)


def _keypoints(values: Any, count: int, size: tuple[int, int]) -> tuple[Keypoint, ...]:
    if not values:
        return ()
    numbers = _numbers(values, "keypoints")
    if len(numbers) % 3 or (count and len(numbers) != 3 * count):
        raise ValueError(f"`keypoints` must have {3 * count or 'three'} numbers: x, y and visibility of each")
    triples = zip(numbers[0::3], numbers[1::3], numbers[2::3], strict=True)
    return tuple(_keypoint(x, y, seen, size) for x, y, seen in triples)


def _keypoint(x: float, y: float, seen: float, size: tuple[int, int]) -> Keypoint:
    if seen not in (0, 1, 2):
        raise ValueError(f"visibility {seen:g} of a keypoint must be 0, 1 or 2")
    if not seen:
        return (0.0, 0.0, 0)
    if overshoot((x, y, x, y), size) > OVERSHOOT_PIXELS:
        raise AnnotationError("label_outside_image", f"keypoint ({x:g}, {y:g}) lies outside the image.")
    (x, y, _, _) = clip_box((x, y, x, y), size)
    return (x, y, int(seen))
