"""Stored files over HTTP: ranges, conditions, and safe headers. The bytes are streamed from storage."""

import re
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Self
from urllib.parse import quote

import anyio.to_thread
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from data_kit import ObjectStore
from vision_api.errors import ApiError, Invalid
from vision_api.kit.clock import utc_now
from vision_api.kit.conditional import is_known
from vision_api.models import Artifact
from vision_api.training_jobs.schemas import PresignedUrl

PRESIGNED_FOR = timedelta(hours=1)
_ONE_RANGE = re.compile(r"^bytes=(\d{0,18})-(\d{0,18})$")


class RangeNotSatisfiable(ApiError):
    """The range lies outside the file."""

    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    code = "range_not_satisfiable"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in storage; `name` is the file name that a download suggests."""

    name: str
    uri: str
    size_bytes: int
    sha256: str
    content_type: str

    @classmethod
    def of(cls, artifact: Artifact) -> Self:
        name = artifact.name.rpartition("/")[2]
        return cls(name, artifact.uri, artifact.size_bytes, artifact.sha256, artifact.content_type)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes from `start` up to, and not including, `end`."""

    start: int
    end: int


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """Return the requested range; None means the whole file, also for a header that may be ignored (RFC 9110, 14.2).

    Raises RangeNotSatisfiable.
    """
    matched = _ONE_RANGE.match(header.strip()) if header else None
    if matched is None or matched.groups() == ("", ""):
        return None
    first, last = matched.groups()
    if first == "":
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < int(first):
            return None
    if start >= end:
        raise RangeNotSatisfiable(f"The file has {size} bytes.", headers={"Content-Range": f"bytes */{size}"})
    return ByteRange(start, end)


async def respond(request: Request, store: ObjectStore, file: StoredFile, *, presign: bool) -> Response:
    """Return the file, or a presigned URL of it."""
    if presign:
        return Response((await presign_file(store, file)).model_dump_json(), media_type="application/json")
    return await download(request, store, file)


async def download(request: Request, store: ObjectStore, file: StoredFile) -> Response:
    """Return the file or the requested range of it."""
    etag = f'"{file.sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": _disposition(file),
        "Content-Security-Policy": "sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    if is_known(request, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    is_same = request.headers.get("if-range", etag) == etag
    part = parse_range(request.headers.get("range"), file.size_bytes) if is_same else None
    whole = ByteRange(0, file.size_bytes)
    sent = part or whole
    length = sent.end - sent.start
    headers["Content-Length"] = str(length)
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{file.size_bytes}"
    chunks = await anyio.to_thread.run_sync(store.read, file.uri, sent.start, length)
    status = HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK
    return StreamingResponse(chunks, status_code=status, headers=headers, media_type=file.content_type)


async def presign_file(store: ObjectStore, file: StoredFile) -> PresignedUrl:
    """Return a URL at the store itself. Raises Invalid if the store cannot presign."""
    url = await anyio.to_thread.run_sync(store.presigned_url, file.uri, PRESIGNED_FOR)
    if url is None:
        raise Invalid(
            "This storage cannot presign: download the artifact itself, with a stream ticket where needed.",
            field="presign",
        )
    return PresignedUrl(url=url, expires_at=utc_now() + PRESIGNED_FOR)


def _disposition(file: StoredFile) -> str:
    """Return the header by which browsers show pictures and save other files."""
    kind = "inline" if file.content_type.startswith("image/") else "attachment"
    return f"{kind}; filename*=UTF-8''{quote(file.name)}"
