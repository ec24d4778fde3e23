"""Images with their labels and predictions."""

# matplotlib does not type its keyword arguments.
# pyright: basic

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from PIL import Image

from data_kit import Dataset, load_image
from data_kit.drawing import color_of
from data_kit.drawing.palette import text_color
from trainer_kit.evaluation import Detections, GalleryImage, TopPrediction, label_map
from trainer_kit.pictures.style import BLACK, BLUE, ORANGE, VERMILION, new_figure, short

COLUMNS = 4
LARGEST_SIDE = 360
"""Largest side, in pixels, of an image in a plot."""

Draw = Callable[[Axes, Image.Image, GalleryImage, Sequence[str]], None]


def draw_images(shown: Sequence[GalleryImage], dataset: Dataset, title: str) -> Figure:
    """Draw up to twelve images in rows of four."""
    columns = min(COLUMNS, max(2, len(shown)))
    rows = -(-len(shown) // columns)
    images = [_load(one.sample.image) for one in shown]
    tallest = max(image.height / image.width for image in images)
    width, height = 2.9 * columns, (2.9 * min(tallest, 1.6) + 0.45) * rows + 0.4
    figure = new_figure(width, height, layout=None)  # a fixed layout takes a tenth of the time
    figure.suptitle(title, fontweight="bold", fontsize=10, x=0.01, y=1 - 0.08 / height, ha="left")
    figure.subplots_adjust(0.005, 0.005, 0.995, 1 - 0.75 / height, wspace=0.03, hspace=0.45 * rows / height)
    axes = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for each, one, image in zip(axes, shown, images, strict=False):
        _DRAW[type(one.prediction)](each, image, one, dataset.class_names)
    for each in axes:
        each.set_axis_off()
    return figure


def _load(path: Path) -> Image.Image:
    image = load_image(path)
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    return image


def _draw_class(axes: Axes, image: Image.Image, shown: GalleryImage, names: Sequence[str]) -> None:
    prediction: TopPrediction = shown.prediction
    label = shown.sample.class_id
    axes.imshow(image)
    text = f"{short(names[prediction.class_id], 20)} ({prediction.confidence:.0%})"
    if prediction.class_id == label:
        axes.set_title(f"✓ {text}", color=BLUE, fontsize=9, fontweight="normal")
    else:
        truth = short(names[label], 20) if label is not None else "?"
        axes.set_title(f"✗ {text}\nlabelled {truth}", color=VERMILION, fontsize=9, fontweight="normal")


def _draw_objects(axes: Axes, image: Image.Image, shown: GalleryImage, names: Sequence[str]) -> None:
    found: Detections = shown.prediction
    sample = shown.sample
    factor = image.width / sample.width
    axes.imshow(image)
    for instance in sample.instances:
        x1, y1, x2, y2 = instance.box
        outlines = [np.reshape(polygon, (-1, 2)) for polygon in instance.polygons]
        if not outlines or not (len(found.masks) or len(found.corners)):
            outlines = [np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])]
        for outline in outlines:
            axes.add_patch(Polygon(outline * factor, fill=False, edgecolor="white", linewidth=2.6))
            axes.add_patch(Polygon(outline * factor, fill=False, edgecolor=BLUE, linewidth=1.5))
        _name(axes, short(names[instance.class_id], 14), x1 * factor, y2 * factor, color="white", back=BLUE, va="top")
        _dots(axes, np.array([point[:2] for point in instance.keypoints if point[2]]) * factor, BLUE, "o")
    _draw_masks(axes, found, factor, image.size)
    for index, (score, class_id) in enumerate(zip(found.scores, map(int, found.classes), strict=True)):
        outline = _outline_of(found, index) * factor
        axes.add_patch(Polygon(outline, fill=False, edgecolor="black", linewidth=2.4))
        axes.add_patch(Polygon(outline, fill=False, edgecolor=ORANGE, linewidth=1.4, linestyle="--"))
        left, top = outline.min(0)
        _name(axes, f"{short(names[class_id], 14)} {score:.0%}", left, top, color=BLACK, back=ORANGE, va="bottom")
        if len(found.keypoints):
            _dots(axes, found.keypoints[index, :, :2] * factor, ORANGE, "x")
    axes.set_title(f"{len(sample.instances)} labelled, {len(found.scores)} found", fontsize=8, fontweight="normal")


def _name(axes: Axes, text: str, x: float, y: float, *, color: str, back: str, va: Literal["top", "bottom"]) -> None:
    box = {"facecolor": back, "edgecolor": "none", "pad": 0.8}
    axes.text(max(x, 0), y, text, fontsize=6, color=color, va=va, bbox=box, clip_on=True)


def _outline_of(found: Detections, index: int) -> np.ndarray:
    if len(found.corners):
        return found.corners[index]
    x1, y1, x2, y2 = found.boxes[index].tolist()
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])


def _dots(axes: Axes, points: np.ndarray, color: str, marker: str) -> None:
    if len(points):
        axes.plot(points[:, 0], points[:, 1], marker, color=color, markersize=3, markeredgewidth=1)


def _draw_masks(axes: Axes, found: Detections, factor: float, size: tuple[int, int]) -> None:
    """Draw the masks, which are cells of a grid, at their place in the image."""
    grid = found.grid
    if grid is None or not len(found.masks):
        return
    left, top = (-offset / scale * factor for offset, scale in zip(grid.offset, grid.scale, strict=True))
    right, bottom = (
        (side - offset) / scale * factor
        for side, offset, scale in zip((grid.width, grid.height), grid.offset, grid.scale, strict=True)
    )
    layer = np.zeros((grid.height, grid.width, 4))
    layer[found.masks.any(0)] = (0.9, 0.62, 0.0, 0.45)
    axes.imshow(layer, extent=(left, right, bottom, top), interpolation="nearest", aspect="auto")
    axes.set_xlim(-0.5, size[0] - 0.5)
    axes.set_ylim(size[1] - 0.5, -0.5)
    axes.set_aspect("equal")


def _draw_label_map(axes: Axes, image: Image.Image, shown: GalleryImage, names: Sequence[str]) -> None:
    """Draw the predicted label map in colour, and outlines of the labels."""
    labels = label_map(shown.sample)
    predicted = np.asarray(Image.fromarray(shown.prediction).resize(image.size, Image.Resampling.NEAREST))
    truth = np.asarray(Image.fromarray(labels).resize(image.size, Image.Resampling.NEAREST))
    axes.imshow(image)
    layer = np.zeros((*predicted.shape, 4))
    occurring = [int(label) for label in np.unique(predicted) if label and label <= len(names)]
    for label in occurring:
        color = color_of(label - 1)
        red, green, blue = (value / 255 for value in color)
        layer[predicted == label] = (red, green, blue, 0.55)
        y, x = (float(np.median(places)) for places in np.nonzero(predicted == label))
        back = to_hex((red, green, blue))
        _name(axes, short(names[label - 1], 14), x, y, color=text_color(color), back=back, va="top")
    axes.imshow(layer, interpolation="nearest")
    for label in np.unique(truth):
        if label:
            axes.contour(truth == label, levels=[0.5], colors="white", linewidths=2.2)
            axes.contour(truth == label, levels=[0.5], colors="black", linewidths=1.0)
    axes.set_title(f"{np.mean(predicted == truth):.0%} of the pixels correct", fontsize=8, fontweight="normal")


_DRAW: dict[type, Draw] = {TopPrediction: _draw_class, Detections: _draw_objects, np.ndarray: _draw_label_map}
