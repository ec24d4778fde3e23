"""Preview of a data set: one image with its labels drawn."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import anyio.to_thread
from PIL import Image

from data_kit import ObjectNotFound, ObjectStore, load_scaled
from data_kit.drawing import Caption, Shape, draw_frame, draw_names, draw_shapes
from vision_api.datasets.processing.stored_samples import SamplePage, StoredInstance, StoredSample
from vision_api.errors import NotFound
from vision_api.storage_layout import SAMPLES_PER_PAGE, archive_key, sample_page_key

DRAWING_VERSION = 2
"""Part of every preview's ETag. Increase it when labels are drawn in another way."""
_DRAWING = anyio.CapacityLimiter(2)
"""A picture of 178 megapixels, the largest that is opened, takes a gigabyte while it is decoded."""

_MIN_NAMED_SIDE = 128
"""Pictures with a shorter side than this have room for colours only."""


@dataclass(frozen=True)
class Legend:
    """Meaning of labels, the same for all pictures of a data set."""

    class_names: Sequence[str]
    skeleton: Sequence[Sequence[int]] = ()
    """Pairs of keypoints with a line between."""
    is_oriented: bool = False
    """An outline of four corners is a turned box, not a mask."""

    def caption(self, class_id: int) -> Caption:
        """Return the caption of a class."""
        return Caption(class_id, self.class_names[class_id])


@dataclass(frozen=True)
class Preview:
    """Inputs of a preview: the `index`-th image of a split, `size` pixels along its longer side."""

    digest: str
    legend: Legend
    split: str
    index: int
    size: int

    @property
    def etag(self) -> str:
        """ETag of the JPEG: equal for equal content."""
        return f'"{self.digest[:32]}-{self.split}-{self.index}-{self.size}-{DRAWING_VERSION}"'


def draw_preview(store: ObjectStore, preview: Preview) -> bytes:
    """Draw a preview as a JPEG. Blocks: call it in a thread.

    Reads one page of labels and one image, however large the data set is. Raises ObjectNotFound if storage has lost
    them.
    """
    page_number, row = divmod(preview.index, SAMPLES_PER_PAGE)
    page_uri = store.uri(sample_page_key(preview.digest, preview.split, page_number))
    sample = SamplePage.validate_json(store.read_bytes(page_uri))[row]
    content = b"".join(store.read(store.uri(archive_key(preview.digest)), sample.start, sample.length))
    picture, factor = load_scaled(io.BytesIO(content), preview.size)
    jpeg = io.BytesIO()
    labelled = _draw_labels(picture, sample, preview.legend, factor)
    labelled.save(jpeg, "JPEG", quality=88, subsampling=0)  # full chroma keeps the colour of thin lines
    return jpeg.getvalue()


async def draw(store: ObjectStore, preview: Preview) -> bytes:
    """Draw a preview as a JPEG. Raises NotFound if storage has lost the image."""
    try:
        return await anyio.to_thread.run_sync(draw_preview, store, preview, limiter=_DRAWING)
    except ObjectNotFound as error:
        raise NotFound(f"Image {preview.index} of `{preview.split}` is no longer in storage.") from error


def _draw_labels(picture: Image.Image, sample: StoredSample, legend: Legend, factor: float) -> Image.Image:
    """Return a copy with labels, which are in pixels of the stored image. `factor` is the scale of the picture."""
    shapes = [_shape_of(instance, legend) for instance in sample.instances]
    labelled = draw_shapes(picture, shapes, factor=factor, skeleton=legend.skeleton)
    of_image = legend.caption(sample.class_id) if sample.class_id is not None else None
    if min(labelled.size) >= _MIN_NAMED_SIDE:
        largest_first = sorted(shapes, key=lambda shape: shape.area, reverse=True)
        draw_names(labelled, largest_first, factor=factor, of_image=of_image)
    elif of_image is not None:
        draw_frame(labelled, of_image.color)
    return labelled


def _shape_of(instance: StoredInstance, legend: Legend) -> Shape:
    return Shape(
        legend.caption(instance.class_id),
        instance.box,
        corners=instance.polygons[0] if legend.is_oriented and instance.polygons else None,
        polygons=() if legend.is_oriented else instance.polygons,
        keypoints=instance.keypoints,
    )
