"""Process that draws previews, one after the other: it decodes images of strangers, so that the backend need not.

    python -m vision_api.datasets.previews.drawing_process

reads a `DrawingRequest` from each line of its input, and answers with a line of a `DrawingAnswer` and the picture.
"""

import sys
from typing import BinaryIO

from PIL import Image
from pydantic import TypeAdapter

from data_kit.images import MOST_FILE_BYTES
from vision_api.background.confinement import confine
from vision_api.datasets.previews.drawing import draw_sample
from vision_api.datasets.previews.messages import DrawingAnswer, DrawingRequest, Outcome
from vision_api.datasets.previews.sections import Section
from vision_api.datasets.processing.stored_samples import SamplePage, StoredSample

MEMORY_BYTES = 1536 * 2**20
"""Limit of the process' memory: the largest WebP image takes 1.3 GB, any other half of that."""

request_json = TypeAdapter(DrawingRequest)
answer_json = TypeAdapter(DrawingAnswer)


def answer(request: DrawingRequest) -> tuple[DrawingAnswer, bytes]:
    """Find the place of an image, or draw it if its archive is here."""
    try:
        sample = _read_sample(request)
        if request.archive is None:
            return DrawingAnswer(Outcome.FOUND, start=sample.start, length=sample.length), b""
        if sample.length > MOST_FILE_BYTES:
            return DrawingAnswer(Outcome.TOO_LARGE, message="its file is too large"), b""
        with request.archive.open("rb") as file:
            section = Section(file, sample.start - request.archive_start, sample.length)
            picture = draw_sample(section, sample, request.legend, request.size)
    except FileNotFoundError:
        return DrawingAnswer(Outcome.MISSING), b""
    except (Image.DecompressionBombError, MemoryError) as error:
        return DrawingAnswer(Outcome.TOO_LARGE, message=str(error) or "it takes too much memory"), b""
    except OSError as error:
        return DrawingAnswer(Outcome.BROKEN, message=str(error)), b""
    return DrawingAnswer(Outcome.DRAWN, length=len(picture)), picture


def _read_sample(request: DrawingRequest) -> StoredSample:
    return SamplePage.validate_json(request.page.read_bytes())[request.row]


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until their end."""
    for line in requests:
        head, picture = answer(request_json.validate_json(line))
        answers.write(answer_json.dump_json(head) + b"\n" + picture)
        answers.flush()


def main() -> int:
    """Serve standard input and output."""
    Image.init()  # Pillow imports its formats when the first image is opened
    confine(MEMORY_BYTES)
    serve(sys.stdin.buffer, sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
