"""Images uploaded in a form: limited in size, and not decoded here."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request

from vision_api.errors import Invalid
from vision_api.kit.multipart import FormRules, ReceivedFile, receive_form
from vision_api.kit.schemas import is_storable
from vision_api.operations.schemas import PredictForm
from vision_contracts import MOST_IMAGES

MOST_BYTES = 256 * 2**20
"""Limit of one request body."""
LONGEST_NAME = 200
MAX_FIELDS = 10


@dataclass(frozen=True)
class Images:
    """The fields and files of a form. `files` are deleted when the context of `receive_images` ends."""

    form: PredictForm
    files: list[ReceivedFile]

    def names(self) -> list[str]:
        """Return the file names without any path, in the order of `files`."""
        return [_plain(file.name) or f"image {number}" for number, file in enumerate(self.files, 1)]


def _plain(name: str) -> str:
    name = name.replace("\\", "/").rpartition("/")[2].strip()
    return name[-LONGEST_NAME:] if is_storable(name) else ""


@asynccontextmanager
async def receive_images(request: Request, folder: Path) -> AsyncGenerator[Images]:
    """Receive a form in which every file is an image, whatever its field is called. Raises Invalid or TooLarge."""
    rules = FormRules(
        expected="images as `images`", file_field="images", max_files=MOST_IMAGES, takes_any_file_field=True,
        max_fields=MAX_FIELDS, most_bytes=MOST_BYTES,
    )  # fmt: skip
    async with receive_form(request, folder, rules) as received:
        if not received.files:
            raise Invalid("The form has no image: send one or many as `images`.", field="images")
        yield Images(received.validate(PredictForm), received.files)
