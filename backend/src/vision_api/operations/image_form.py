"""Images uploaded in a form: spooled to disk while they arrive, limited in size, and not decoded here."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from vision_api.errors import Invalid, TooLarge
from vision_api.kit.body_limit import accept_upload
from vision_api.kit.schemas import is_storable
from vision_api.operations.schemas import PredictForm
from vision_contracts import MOST_IMAGES

MOST_BYTES = 256 * 2**20
"""Limit of one request body."""
LONGEST_NAME = 200


@dataclass
class Images:
    """The fields and files of a form. `files` are closed when the context of `receive_images` ends."""

    form: PredictForm
    files: list[UploadFile] = field(default_factory=list[UploadFile])

    def names(self) -> list[str]:
        """Return the file names without any path, in the order of `files`."""
        return [_plain(file.filename or "") or f"image {number}" for number, file in enumerate(self.files, 1)]


def _plain(name: str) -> str:
    name = name.replace("\\", "/").rpartition("/")[2].strip()
    return name[-LONGEST_NAME:] if is_storable(name) else ""


@asynccontextmanager
async def receive_images(request: Request) -> AsyncGenerator[Images]:
    """Receive a form in which every file is an image, whatever its field is called. Raises Invalid or TooLarge."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Invalid("Send a form (multipart/form-data) with images as `images`.", field="images")
    accept_upload(request, most_bytes=MOST_BYTES)
    try:
        form = await request.form(max_files=MOST_IMAGES, max_fields=10)
    except HTTPException as error:
        if error.status_code == TooLarge.status:
            raise
        raise Invalid(f"The form cannot be read: {error.detail}", field="images") from error
    try:
        items = form.multi_items()
        fields = {name: value for name, value in items if isinstance(value, str)}
        files = [value for _, value in items if isinstance(value, UploadFile)]
        if not files:
            raise Invalid("The form has no image: send one or many as `images`.", field="images")
        yield Images(_validated(fields), files)
    finally:
        await form.close()


def _validated(fields: dict[str, str]) -> PredictForm:
    try:
        return PredictForm.model_validate(fields)
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from error
