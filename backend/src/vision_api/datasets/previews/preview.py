"""One image of a data set with its labels drawn."""

import io

from data_kit import ObjectStore, load_scaled
from vision_api.datasets.previews.drawing import Legend, draw_labels
from vision_api.datasets.processing.stored_samples import SamplePage
from vision_api.storage_layout import SAMPLES_PER_PAGE, archive_key, sample_page_key

LOOK = 1
"""Part of every picture's ETag. Another number when labels are drawn in another way."""


def draw_preview(store: ObjectStore, digest: str, legend: Legend, split: str, index: int, size: int) -> bytes:
    """JPEG of the `index`-th image of a split, `size` pixels along its longer side. Blocks: call it in a thread.

    Reads one page of labels and one image, however large the data set is. Raises ObjectNotFound if storage has lost
    them.
    """
    page = SamplePage.validate_json(
        store.read_bytes(store.uri(sample_page_key(digest, split, index // SAMPLES_PER_PAGE)))
    )
    sample = page[index % SAMPLES_PER_PAGE]
    content = b"".join(store.read(store.uri(archive_key(digest)), sample.start, sample.length))
    picture, factor = load_scaled(io.BytesIO(content), size)
    jpeg = io.BytesIO()
    draw_labels(picture, sample, legend, factor).save(jpeg, "JPEG", quality=88, subsampling=0)  # lines keep their color
    return jpeg.getvalue()
