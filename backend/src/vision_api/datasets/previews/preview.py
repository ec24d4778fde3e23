"""Preview of a data set: one image with its labels drawn."""

import io
from dataclasses import dataclass

from data_kit import ObjectStore, load_scaled
from vision_api.datasets.previews.drawing import Legend, draw_labels
from vision_api.datasets.processing.stored_samples import SamplePage
from vision_api.storage_layout import SAMPLES_PER_PAGE, archive_key, sample_page_key

DRAWING_VERSION = 1
"""Part of every preview's ETag. Increase it when labels are drawn in another way."""


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
    labelled = draw_labels(picture, sample, preview.legend, factor)
    labelled.save(jpeg, "JPEG", quality=88, subsampling=0)  # full chroma keeps the colour of thin lines
    return jpeg.getvalue()
