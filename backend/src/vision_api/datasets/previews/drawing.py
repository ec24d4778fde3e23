"""Drawing of a sample: its image with its labels."""

import io
from typing import BinaryIO, cast

from PIL import Image

from data_kit import load_scaled
from data_kit.drawing import Caption, Shape, draw_frame, draw_names, draw_shapes
from vision_api.datasets.previews.messages import Legend
from vision_api.datasets.processing.stored_samples import StoredInstance, StoredSample

_MIN_NAMED_SIDE = 128
"""Pictures with a shorter side than this have room for colours only."""


def draw_sample(file: io.RawIOBase, sample: StoredSample, legend: Legend, size: int) -> bytes:
    """Return a JPEG. Raises OSError, DecompressionBombError and MemoryError as the decoder does."""
    picture, factor = load_scaled(cast("BinaryIO", file), size)
    labelled = _draw_labels(picture, sample, legend, factor)
    jpeg = io.BytesIO()
    labelled.save(jpeg, "JPEG", quality=88, subsampling=0)  # full chroma keeps the colour of thin lines
    return jpeg.getvalue()


def _draw_labels(picture: Image.Image, sample: StoredSample, legend: Legend, factor: float) -> Image.Image:
    """Return a copy with labels, which are in pixels of the stored image. `factor` is the scale of the picture."""
    shapes = [_shape_of(instance, legend) for instance in sample.instances]
    labelled = draw_shapes(picture, shapes, factor=factor, skeleton=legend.skeleton)
    of_image = _caption(legend, sample.class_id) if sample.class_id is not None else None
    if min(labelled.size) >= _MIN_NAMED_SIDE:
        largest_first = sorted(shapes, key=lambda shape: shape.area, reverse=True)
        draw_names(labelled, largest_first, factor=factor, of_image=of_image)
    elif of_image is not None:
        draw_frame(labelled, of_image.color)
    return labelled


def _shape_of(instance: StoredInstance, legend: Legend) -> Shape:
    return Shape(
        _caption(legend, instance.class_id),
        instance.box,
        corners=instance.polygons[0] if legend.is_oriented and instance.polygons else None,
        polygons=() if legend.is_oriented else instance.polygons,
        keypoints=instance.keypoints,
    )


def _caption(legend: Legend, class_id: int) -> Caption:
    return Caption(class_id, legend.class_names[class_id])
