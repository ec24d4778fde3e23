"""Preparation of images for a network, and decoding of its outputs into predictions. Needs numpy and Pillow only.

The platform predicts with this module, and every exported bundle has a copy of it.
"""

import math
from typing import Any

import numpy as np
from PIL import Image

MOST_OBJECTS = 300
"""Limit of the objects of an image."""
KEPT_BEFORE_NMS = 2000
INTERPOLATIONS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}


class Placement:
    """Position of an image in a network's input: x in the input is `scale[0] * x + offset[0]`."""

    def __init__(self, image_size: tuple[int, int], scale: tuple[float, float], offset: tuple[float, float]) -> None:
        self.width, self.height = image_size
        self.scale = np.array(scale, dtype=np.float64)
        self.offset = np.array(offset, dtype=np.float64)

    def to_image(self, points: Any) -> Any:
        """Convert points (..., 2) of the input to points of the image."""
        return (points - self.offset) / self.scale

    def window(self, shape: tuple[int, int], input_size: tuple[int, int]) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the image in a map of `shape` that covers the input. Shapes are height, width."""
        shrink = np.array([shape[1] / input_size[1], shape[0] / input_size[0]])
        start = self.offset * shrink
        end = (self.offset + self.scale * (self.width, self.height)) * shrink
        left, top = np.maximum(start, 0)
        right, bottom = np.minimum(end, (shape[1], shape[0]))
        return float(left), float(top), float(right), float(bottom)


def prepare(image: Image.Image, preprocessing: dict[str, Any]) -> tuple[Any, Placement]:
    """Return the input (3, height, width) for an upright RGB image, and the image's placement in it."""
    height, width = preprocessing["size"]
    resample = Image.Resampling(INTERPOLATIONS[preprocessing["interpolation"]])
    mode = preprocessing["resize"]
    if mode == "squash":
        side = preprocessing["resize_to"]
        new = (side, side) if side else (width, height)
        offset = (-round((new[0] - width) / 2), -round((new[1] - height) / 2))
    elif mode == "letterbox":
        shrink = min(width / image.width, height / image.height)
        new = (max(1, round(image.width * shrink)), max(1, round(image.height * shrink)))
        offset = ((width - new[0]) // 2, (height - new[1]) // 2)
    else:
        short = preprocessing["resize_to"]
        long = int(short * max(image.size) / min(image.size))
        new = (short, long) if image.width <= image.height else (long, short)
        offset = (-round((new[0] - width) / 2), -round((new[1] - height) / 2))
    resized = image.resize(new, resample) if new != image.size else image
    canvas = Image.new("RGB", (width, height), (preprocessing["fill"],) * 3 if mode == "letterbox" else 0)
    canvas.paste(resized, offset)
    pixels = np.asarray(canvas, dtype=np.float32) / 255
    if preprocessing["channels"] == "bgr":
        pixels = pixels[..., ::-1]
    pixels = (pixels - np.float32(preprocessing["mean"])) / np.float32(preprocessing["std"])
    scale = (new[0] / image.width, new[1] / image.height)
    return np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32), Placement(image.size, scale, offset)


def decode(
    model: dict[str, Any], outputs: dict[str, Any], placement: Placement, *, threshold: float = 0.25, top_k: int = 5
) -> dict[str, Any]:
    """Return the prediction for one image, as JSON: `labels`, `regions` or `objects`, as the task has them.

    `outputs` are those of the network, without the batch; `model` is `model.json`.
    """
    if "probabilities" in outputs:
        return {"labels": classify(model, outputs["probabilities"], top_k)}
    if "boxes" not in outputs:
        return {"regions": regions(model, outputs["scores"], placement)}
    return {"objects": objects(model, outputs, placement, threshold)}


def classify(model: dict[str, Any], probabilities: Any, top_k: int) -> list[dict[str, Any]]:
    """Return the `top_k` most probable classes."""
    best = np.argsort(-probabilities, kind="stable")[:top_k]
    return [_label(model, int(index), float(probabilities[index])) for index in best]


def label_map(model: dict[str, Any], scores: Any, placement: Placement) -> Any:
    """(height, width): the class index of each pixel of the image, from scores (classes, h, w)."""
    window = placement.window(scores.shape[1:], model["preprocessing"]["size"])
    best = np.full((placement.height, placement.width), -np.inf, dtype=np.float32)
    labels = np.zeros(best.shape, dtype=np.int32)
    for index, one in enumerate(scores):
        resized = _resized(one, window, placement)
        wins = resized > best
        best[wins], labels[wins] = resized[wins], index
    return labels


def regions(model: dict[str, Any], scores: Any, placement: Placement) -> list[dict[str, Any]]:
    """Return a mask for each class that occurs, except the background, the largest first."""
    labels = label_map(model, scores, placement)
    found: list[dict[str, Any]] = []
    for index in np.unique(labels).tolist():
        if index == model["background"]:
            continue
        mask = labels == index
        label = {"class_id": index, "label": model["class_names"][index]}
        found.append({**label, "share": float(mask.mean()), "mask": encode_rle(mask)})
    return sorted(found, key=lambda region: -region["share"])


def detect(
    model: dict[str, Any], boxes: Any, scores: Any, threshold: float, most: int = MOST_OBJECTS
) -> tuple[Any, Any, Any]:
    """Return scores, class indices and indices of boxes, best first, of all pairs of a box and a class with a score of
    at least `threshold` that remain after non-maximum suppression.
    """
    rows, classes = np.nonzero(scores >= threshold)
    found = scores[rows, classes]
    order = np.argsort(-found, kind="stable")[:KEPT_BEFORE_NMS]
    rows, classes, found = rows[order], classes[order], found[order]
    if model["nms_overlap"] is not None:
        kept = suppress(boxes[rows], classes, model["nms_overlap"])
        rows, classes, found = rows[kept], classes[kept], found[kept]
    return found[:most], classes[:most], rows[:most]


def suppress(boxes: Any, classes: Any, overlap: float) -> Any:
    """Non-maximum suppression: return the indices of boxes, given best first, that no better one of their class
    overlaps by more than `overlap`.
    """
    kept: list[int] = []
    left = np.arange(len(boxes))
    while len(left) and len(kept) < MOST_OBJECTS:
        best, rest = left[0], left[1:]
        kept.append(int(best))
        covers = rotated_overlap if boxes.shape[1] == 5 else box_overlap
        covered = (classes[rest] == classes[best]) & (covers(boxes[best], boxes[rest]) > overlap)
        left = rest[~covered]
    return np.array(kept, dtype=np.int64)


def box_overlap(one: Any, others: Any) -> Any:
    """Intersection over union of boxes x1, y1, x2, y2: of (4,) with each of (n, 4)."""
    sides = np.minimum(one[2:], others[:, 2:]) - np.maximum(one[:2], others[:, :2])
    shared = np.clip(sides, 0, None).prod(1)
    area, areas = (one[2:] - one[:2]).prod(), (others[:, 2:] - others[:, :2]).prod(1)
    return shared / np.maximum(area + areas - shared, 1e-9)


def rotated_overlap(one: Any, others: Any) -> Any:
    """Overlap of boxes cx, cy, w, h, angle, taken as normal distributions (Llerena et al., arXiv 2106.06072)."""
    a1, b1, c1 = _covariance(one[None])
    a2, b2, c2 = _covariance(others)
    dx, dy = (others[:, :2] - one[:2]).T
    a, b, c = a1 + a2, b1 + b2, c1 + c2
    det = a * b - c * c + 1e-7
    spread = (a * dy**2 + b * dx**2) / det / 4 - c * dx * dy / det / 2
    dets = np.clip(a1 * b1 - c1 * c1, 0, None) * np.clip(a2 * b2 - c2 * c2, 0, None)
    shape = 0.5 * np.log(det / (4 * np.sqrt(dets) + 1e-7) + 1e-7)
    return 1 - np.sqrt(1 - np.exp(-np.clip(spread + shape, 1e-7, 100)) + 1e-7)


def _covariance(boxes: Any) -> tuple[Any, Any, Any]:
    w, h = boxes[:, 2] ** 2 / 12, boxes[:, 3] ** 2 / 12
    cos, sin = np.cos(boxes[:, 4]), np.sin(boxes[:, 4])
    return w * cos**2 + h * sin**2, w * sin**2 + h * cos**2, (w - h) * cos * sin


def objects(
    model: dict[str, Any], outputs: dict[str, Any], placement: Placement, threshold: float
) -> list[dict[str, Any]]:
    """Return the detected objects, with masks, keypoints or corners if the network gives them."""
    scores, classes, rows = detect(model, outputs["boxes"], outputs["scores"], threshold)
    found: list[dict[str, Any]] = []
    for score, class_id, row in zip(scores, classes, rows, strict=True):
        shape = outputs["boxes"][row]
        one: dict[str, Any] = _label(model, int(class_id), float(score))
        corners = placement.to_image(corners_of(shape)) if len(shape) == 5 else None
        points = corners if corners is not None else placement.to_image(shape.reshape(2, 2).astype(np.float64))
        one["box"] = _box(points, placement)
        if corners is not None:
            one["corners"] = [round(float(value), 2) for value in corners.ravel()]
        if "prototypes" in outputs:
            mask = object_mask(model, outputs["coefficients"][row], outputs["prototypes"], placement, one["box"])
            one["mask"] = encode_rle(mask)
        if "keypoints" in outputs:
            one["keypoints"] = _keypoints(outputs["keypoints"][row], placement)
        found.append(one)
    return found


def corners_of(box: Any) -> Any:
    """(4, 2) corners of cx, cy, w, h, angle, in order around it."""
    cx, cy, w, h, angle = (float(value) for value in box)
    along = np.array([math.cos(angle), math.sin(angle)]) * w / 2
    across = np.array([-math.sin(angle), math.cos(angle)]) * h / 2
    centre = np.array([cx, cy])
    return np.stack(
        [centre + along + across, centre + along - across, centre - along - across, centre - along + across]
    )


def object_mask(
    model: dict[str, Any], coefficients: Any, prototypes: Any, placement: Placement, box: list[float]
) -> Any:
    """(height, width): true for the object's pixels of the image, none outside of its box."""
    logits = np.tensordot(coefficients, prototypes, 1).astype(np.float32)
    window = placement.window(logits.shape, model["preprocessing"]["size"])
    mask = _resized(logits, window, placement) > 0
    left, top, right, bottom = math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3])
    inside = np.zeros(mask.shape, dtype=bool)
    inside[top:bottom, left:right] = mask[top:bottom, left:right]
    return inside


def encode_rle(mask: Any) -> dict[str, Any]:
    """Encode a mask in COCO's compressed run-length format."""
    flat = np.asarray(mask, dtype=bool).T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    runs = [0, *runs] if flat.size and flat[0] else runs
    text = ""
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        while True:
            bits, value = value & 0x1F, value >> 5
            more = value != (-1 if bits & 0x10 else 0)
            text += chr((bits | 0x20 if more else bits) + 48)
            if not more:
                break
    return {"size": list(mask.shape), "counts": text}


def _resized(values: Any, window: tuple[float, float, float, float], placement: Placement) -> Any:
    picture = Image.fromarray(np.asarray(values, dtype=np.float32))
    return np.asarray(picture.resize((placement.width, placement.height), Image.Resampling.BILINEAR, box=window))


def _label(model: dict[str, Any], class_id: int, score: float) -> dict[str, Any]:
    return {"class_id": class_id, "label": model["class_names"][class_id], "score": round(score, 6)}


def _box(points: Any, placement: Placement) -> list[float]:
    low = np.clip(points.min(0), 0, (placement.width, placement.height))
    high = np.clip(points.max(0), 0, (placement.width, placement.height))
    return [round(float(value), 2) for value in (*low, *high)]


def _keypoints(points: Any, placement: Placement) -> list[dict[str, float]]:
    places = placement.to_image(points[:, :2].astype(np.float64))
    return [
        {"x": round(float(x), 2), "y": round(float(y), 2), "score": round(float(score), 4)}
        for (x, y), score in zip(places, points[:, 2], strict=True)
    ]
