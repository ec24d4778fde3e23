"""Forms with a file, received as a stream: memory does not grow with the size of the file."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar
from uuid import uuid4

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from vision_api.config import Settings
from vision_api.errors import Invalid
from vision_api.kit.body_limit import accept_upload

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FIELD_BYTES = 64 * 1024
MAX_FIELDS = 20
FLUSH_BYTES = 1024 * 1024

Form = TypeVar("Form", bound=BaseModel)


@dataclass
class Upload:
    """A received form: the file, and its other fields as text."""

    path: Path
    fields: dict[str, str] = field(default_factory=dict[str, str])
    has_file: bool = False

    def form(self, model: type[Form]) -> Form:
        """Validate the other fields. Raises as a wrong JSON body does."""
        try:
            form = model.model_validate(self.fields)
        except ValidationError as error:
            raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in error.errors()]) from error
        if not self.has_file:
            raise Invalid("The form has no file: send a zip archive as `file`.", field="file")
        return form


def incoming_folder(settings: Settings) -> Path:
    """Return the folder of files that are still being received. A killed process leaves its file there."""
    return settings.data_dir / "uploads"


@asynccontextmanager
async def receive_upload(request: Request, folder: Path) -> AsyncGenerator[Upload]:
    """Receive the form in the request's body. Its file is deleted when the context ends."""
    _, options = parse_options_header(request.headers.get("content-type", ""))
    if not request.headers.get("content-type", "").startswith("multipart/form-data") or b"boundary" not in options:
        raise Invalid("Send a form (multipart/form-data) with a zip archive as `file`.", field="file")
    accept_upload(request)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    upload = Upload(folder / f"{uuid4()}.upload")
    try:
        with upload.path.open("wb") as file:
            await _receive(request, _FormReader(upload, file), options[b"boundary"])
        yield upload
    finally:
        upload.path.unlink(missing_ok=True)


async def _receive(request: Request, reader: "_FormReader", boundary: bytes) -> None:
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        async for chunk in request.stream():
            parser.write(chunk)
            if reader.buffered_bytes >= FLUSH_BYTES:
                await asyncio.to_thread(reader.flush)
    except FormParserError as error:
        raise Invalid(f"The form is broken: {error}.", field="file") from error
    if not reader.is_complete:
        raise Invalid("The form was cut off before its end. Send it again.", field="file")
    await asyncio.to_thread(reader.flush)


class _FormReader:
    """Reader of a form's parts as they arrive. The file's bytes are buffered in memory until `flush`."""

    def __init__(self, upload: Upload, file: BinaryIO) -> None:
        self._upload = upload
        self._file = file
        self._buffered: list[bytes] = []
        self.buffered_bytes = 0
        self._header_name = self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        self._name: str | None = None
        self._is_file = False
        self._text = bytearray()
        self.is_complete = False

    def callbacks(self) -> "MultipartCallbacks":
        """Return the callbacks for the parser."""
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    def flush(self) -> None:
        """Write the buffered bytes to the file."""
        buffered, self._buffered, self.buffered_bytes = self._buffered, [], 0
        self._file.writelines(buffered)

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._is_file = b"filename" in options
        self._text.clear()
        if self._is_file and (self._name != "file" or self._upload.has_file):
            raise Invalid("The form takes one file, as `file`.", field=self._name)
        if not self._is_file and (self._name in self._upload.fields or len(self._upload.fields) >= MAX_FIELDS):
            raise Invalid(f"`{self._name}` comes more than once, or there are too many fields.", field=self._name)
        self._upload.has_file |= self._is_file

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._buffered.append(data[start:end])
            self.buffered_bytes += end - start
            return
        self._text += data[start:end]
        if len(self._text) > MAX_FIELD_BYTES:
            raise Invalid(f"`{self._name}` is too long.", field=self._name)

    def _on_part_end(self) -> None:
        if not self._is_file and self._name is not None:
            self._upload.fields[self._name] = self._text.decode("utf-8", "replace")

    def _on_end(self) -> None:
        self.is_complete = True
