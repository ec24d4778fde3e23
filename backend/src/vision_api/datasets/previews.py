"""One image of a data set with its labels drawn."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw

from data_kit import ObjectNotFound, ObjectStore, load_image
from vision_api.datasets.layout import SAMPLES_PER_PAGE, archive_key, sample_page_key
from vision_api.datasets.samples import SamplePage, StoredInstance, StoredSample

LARGEST_SIDE = 1024
COLORS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#42d4f4", "#f032e6", "#bfef45", "#fabed4", "#469990")
DOT_RADIUS = 3


def draw_preview(store: ObjectStore, digest: str, class_names: Sequence[str], split: str, index: int) -> bytes:
    """JPEG of the `index`-th image of a split. Blocks: call it in a thread.

    Reads one page of labels and one image, however large the data set is. Raises ObjectNotFound if there is no such
    image.
    """
    page = SamplePage.validate_json(
        store.read_bytes(store.uri(sample_page_key(digest, split, index // SAMPLES_PER_PAGE)))
    )
    if index % SAMPLES_PER_PAGE >= len(page):
        raise ObjectNotFound(f"`{split}` has no image {index}.")
    sample = page[index % SAMPLES_PER_PAGE]
    content = b"".join(store.read(store.uri(archive_key(digest)), sample.start, sample.length))
    image = _draw(load_image(io.BytesIO(content)), sample, class_names)
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=85)
    return jpeg.getvalue()


def _draw(image: Image.Image, sample: StoredSample, class_names: Sequence[str]) -> Image.Image:
    scale = min(1.0, LARGEST_SIDE / max(image.size))
    if scale < 1.0:
        image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    drawing = ImageDraw.Draw(image)
    for instance in sample.instances:
        _draw_instance(drawing, instance, scale, class_names[instance.class_id])
    if sample.class_id is not None:
        _write(drawing, (0, 0), class_names[sample.class_id], _color(sample.class_id))
    return image


def _draw_instance(drawing: ImageDraw.ImageDraw, instance: StoredInstance, scale: float, name: str) -> None:
    color = _color(instance.class_id)
    for polygon in instance.polygons:
        drawing.polygon([value * scale for value in polygon], outline=color, width=2)
    x1, y1, x2, y2 = (value * scale for value in instance.box)
    if not instance.polygons:
        drawing.rectangle((x1, y1, x2, y2), outline=color, width=2)
    for x, y, seen in instance.keypoints:
        if seen:
            at = (x * scale, y * scale)
            box = (at[0] - DOT_RADIUS, at[1] - DOT_RADIUS, at[0] + DOT_RADIUS, at[1] + DOT_RADIUS)
            drawing.ellipse(box, fill=color)
    _write(drawing, (x1, y1), name, color)


def _write(drawing: ImageDraw.ImageDraw, at: tuple[float, float], text: str, color: str) -> None:
    drawing.rectangle(drawing.textbbox(at, text), fill=color)
    drawing.text(at, text, fill="white")


def _color(class_id: int) -> str:
    return COLORS[class_id % len(COLORS)]
