"""Forms with files, received as a stream: memory does not grow with the size of the files."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from os import SEEK_END
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
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
FLUSH_BYTES = 1024 * 1024

Form = TypeVar("Form", bound=BaseModel)


def incoming_folder(settings: Settings) -> Path:
    """Return the folder of files that are still being received. A killed process leaves its files there."""
    return settings.data_dir / "uploads"


@dataclass(frozen=True, slots=True)
class FormRules:
    """Content that a form may have. Errors about its files name `file_field`."""

    expected: str
    """The files, in words that complete "Send a form with"."""
    file_field: str
    max_files: int = 1
    takes_any_file_field: bool = False
    """A file may come as any field."""
    max_fields: int = 20
    most_bytes: int | None = None
    """Limit of the whole body; None is that of uploads."""


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file of a form, and the name that the client gave it, which may be anything."""

    path: Path
    name: str


@dataclass
class ReceivedForm:
    """The files of a form in the order of their arrival, and its other fields as text."""

    fields: dict[str, str] = field(default_factory=dict[str, str])
    files: list[ReceivedFile] = field(default_factory=list[ReceivedFile])

    def validate(self, model: type[Form]) -> Form:
        """Validate the fields besides files. Raises as a wrong JSON body does."""
        try:
            return model.model_validate(self.fields)
        except ValidationError as error:
            raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in error.errors()]) from error


@asynccontextmanager
async def receive_form(request: Request, folder: Path, rules: FormRules) -> AsyncGenerator[ReceivedForm]:
    """Receive the form in the request's body. Its files are in `folder`, and deleted when the context ends.

    Raises Invalid for another body, a broken form and too many files.
    """
    content_type = request.headers.get("content-type", "")
    _, options = parse_options_header(content_type)
    if not content_type.startswith("multipart/form-data") or b"boundary" not in options:
        raise Invalid(f"Send a form (multipart/form-data) with {rules.expected}.", field=rules.file_field)
    accept_upload(request, most_bytes=rules.most_bytes)
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    form = ReceivedForm()
    try:
        await _receive(request, _FormReader(form, folder, rules), options[b"boundary"], rules)
        yield form
    finally:
        for file in form.files:
            file.path.unlink(missing_ok=True)


async def _receive(request: Request, reader: "_FormReader", boundary: bytes, rules: FormRules) -> None:
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        async for chunk in request.stream():
            parser.write(chunk)
            if reader.buffered_bytes >= FLUSH_BYTES:
                await asyncio.to_thread(reader.flush)
    except FormParserError as error:
        raise Invalid(f"The form is broken: {error}.", field=rules.file_field) from error
    if not reader.is_complete:
        raise Invalid("The form was cut off before its end. Send it again.", field=rules.file_field)
    await asyncio.to_thread(reader.flush)


class _FormReader:
    """Reader of a form's parts as they arrive. The files' bytes are buffered in memory until `flush`."""

    def __init__(self, form: ReceivedForm, folder: Path, rules: FormRules) -> None:
        self._form = form
        self._folder = folder
        self._rules = rules
        self._buffered: dict[Path, list[bytes]] = {}
        self.buffered_bytes = 0
        self._header_name = self._header_value = b""
        self._headers: dict[bytes, bytes] = {}
        self._name: str | None = None
        self._path: Path | None = None
        """The file of the present part; None for a field."""
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
        """Append the buffered bytes to their files."""
        buffered, self._buffered, self.buffered_bytes = self._buffered, {}, 0
        for path, chunks in buffered.items():
            with path.open("r+b") as file:  # one that was deleted is not made again: the request may be cancelled
                file.seek(0, SEEK_END)
                file.writelines(chunks)

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
        self._text.clear()
        self._path = None
        if b"filename" in options:
            self._path = self._begin_file(self._name, options[b"filename"])
        elif self._name in self._form.fields or len(self._form.fields) >= self._rules.max_fields:
            raise Invalid(f"`{self._name}` comes more than once, or there are too many fields.", field=self._name)

    def _begin_file(self, field_name: str, file_name: bytes) -> Path:
        rules = self._rules
        is_named_wrong = field_name != rules.file_field and not rules.takes_any_file_field
        if is_named_wrong or len(self._form.files) >= rules.max_files:
            files = "one file" if rules.max_files == 1 else f"{rules.max_files} files at most"
            raise Invalid(f"The form takes {files}, as `{rules.file_field}`.", field=field_name)
        path = self._folder / f"{uuid4()}.upload"
        self._form.files.append(ReceivedFile(path, _decode(file_name)))
        path.touch()
        return path

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._path is not None:
            self._buffered.setdefault(self._path, []).append(data[start:end])
            self.buffered_bytes += end - start
            return
        self._text += data[start:end]
        if len(self._text) > MAX_FIELD_BYTES:
            raise Invalid(f"`{self._name}` is too long.", field=self._name)

    def _on_part_end(self) -> None:
        if self._path is None and self._name is not None:
            self._form.fields[self._name] = self._text.decode("utf-8", "replace")

    def _on_end(self) -> None:
        self.is_complete = True


def _decode(name: bytes) -> str:
    """Decode a file name, which old clients send in Latin-1."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")
