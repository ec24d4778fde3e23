"""Preview of a data set: one image with its labels drawn, by a process that decodes nothing else."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread

from data_kit import ObjectNotFound, ObjectStore
from data_kit.images import MOST_FILE_BYTES
from vision_api.datasets.previews.drawers import DrawerDied, Drawers
from vision_api.datasets.previews.messages import DrawingAnswer, DrawingRequest, Legend, Outcome
from vision_api.errors import Invalid, NotFound
from vision_api.storage_layout import SAMPLES_PER_PAGE, archive_key, sample_page_key

DRAWING_VERSION = 2
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


async def draw(store: ObjectStore, drawers: Drawers, preview: Preview) -> bytes:
    """Draw a preview as a JPEG, with constant memory here. Raises NotFound if storage has lost the image, and Invalid
    for one that cannot be drawn.
    """
    try:
        with ExitStack() as files:
            answer, picture = await _draw(store, drawers, preview, files)
    except ObjectNotFound as error:
        raise _missing(preview) from error
    except DrawerDied as error:
        message = f"Image {preview.index} of `{preview.split}` cannot be drawn: its decoder {error}."
        raise Invalid(f"{message} Replace the image by a plain JPEG or PNG.", code="preview_failed") from error
    match answer.outcome:
        case Outcome.MISSING:
            raise _missing(preview)
        case Outcome.TOO_LARGE | Outcome.BROKEN:
            code = "image_too_large" if answer.outcome is Outcome.TOO_LARGE else "image_broken"
            message = f"Image {preview.index} of `{preview.split}` cannot be drawn: {answer.message}."
            raise Invalid(f"{message} Replace it in the data set.", code=code)
        case Outcome.FOUND | Outcome.DRAWN:
            return picture


def _missing(preview: Preview) -> NotFound:
    return NotFound(f"Image {preview.index} of `{preview.split}` is no longer in storage.")


async def _draw(
    store: ObjectStore, drawers: Drawers, preview: Preview, files: ExitStack
) -> tuple[DrawingAnswer, bytes]:
    """Let a drawer read local files where they are; what a bucket has is copied to files, the image's bytes alone."""
    number, row = divmod(preview.index, SAMPLES_PER_PAGE)
    page_uri = store.uri(sample_page_key(preview.digest, preview.split, number))
    archive_uri = store.uri(archive_key(preview.digest))
    page, archive, start = store.local_path(page_uri), store.local_path(archive_uri), 0
    if page is None or archive is None:
        page = await anyio.to_thread.run_sync(_copy, files, store.read(page_uri))
        found, _ = await drawers.draw(DrawingRequest(page, row, preview.legend, preview.size))
        if found.outcome is not Outcome.FOUND:
            return found, b""
        if found.length > MOST_FILE_BYTES:
            return DrawingAnswer(Outcome.TOO_LARGE, message="its file is too large"), b""
        start = found.start
        archive = await anyio.to_thread.run_sync(_copy, files, store.read(archive_uri, start, found.length))
    return await drawers.draw(DrawingRequest(page, row, preview.legend, preview.size, archive, start))


def _copy(files: ExitStack, chunks: Iterator[bytes]) -> Path:
    """Copy what a bucket holds to a file that is deleted with `files`."""
    file = files.enter_context(tempfile.NamedTemporaryFile(prefix="preview-"))  # noqa: SIM115 - closed with `files`
    file.writelines(chunks)
    file.flush()
    return Path(file.name)
