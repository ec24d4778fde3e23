"""Routes of resumable uploads: tus 1.0 with creation, termination and expiration."""

from collections.abc import Callable, Coroutine
from email.utils import format_datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.routing import APIRoute

from vision_api.auth.dependencies import CurrentUser
from vision_api.datasets.uploads.tus import use_cases, workflows
from vision_api.datasets.uploads.tus.schemas import UploadRead
from vision_api.dependencies import DatabaseDep, PlatformDep, ReadSession, SettingsDep, StoreDep, WriteSession
from vision_api.disk_space.dependencies import RoomNeeded
from vision_api.errors import ApiError, Invalid, NotFound, TooLarge
from vision_api.kit.idempotency import IdempotencyKey
from vision_api.models import ResumableUpload

VERSION = "1.0.0"
EXTENSIONS = "creation,termination,expiration"
CONTENT_TYPE = "application/offset+octet-stream"
EXPOSED_HEADERS = (
    "Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size",
    "Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Expires", "Upload-Dataset", "Upload-Dataset-Version",
)  # fmt: skip
ALLOWED_HEADERS = ("Tus-Resumable", "Upload-Length", "Upload-Metadata", "Upload-Offset")


class UnsupportedVersion(ApiError):
    """The request names another version of the protocol, or none."""

    status = HTTPStatus.PRECONDITION_FAILED
    code = "tus_version_unsupported"


class UnsupportedMediaType(ApiError):
    """The request's body has another media type."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"


class TusRoute(APIRoute):
    """Route that names its protocol version in every response, and refuses requests of another version."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler of APIRoute."""
        handle = super().get_route_handler()

        async def handle_tus(request: Request) -> Response:
            try:
                version = request.headers.get("tus-resumable", VERSION if request.method == "GET" else "none")
                if request.method != "OPTIONS" and version != VERSION:
                    detail = f"Tus-Resumable is {version}; this server supports {VERSION}."
                    raise UnsupportedVersion(detail, headers={"Tus-Version": VERSION})
                response = await handle(request)
            except ApiError as error:
                error.headers = {**(error.headers or {}), "Tus-Resumable": VERSION}
                raise
            response.headers["Tus-Resumable"] = VERSION
            return response

        return handle_tus


router = APIRouter(prefix="/uploads", tags=["uploads"], route_class=TusRoute)


def _upload_id(upload_id: str) -> UUID:
    try:
        return UUID(upload_id)
    except ValueError as error:
        raise NotFound from error


UploadId = Annotated[UUID, Depends(_upload_id)]
Count = Annotated[str | None, Header(description="A whole number of bytes.")]
Metadata = Annotated[
    str,
    Header(
        description="Pairs of a name and a base64 text, separated by commas: `name` and `project_id`, or `dataset_id` "
        "for a new version of it; `filename`."
    ),
]


@router.options("", status_code=204)
async def get_upload_options(settings: SettingsDep, response: Response) -> None:
    """Return the version and the extensions of the tus protocol that this server supports."""
    response.headers["Tus-Version"] = VERSION
    response.headers["Tus-Extension"] = EXTENSIONS
    response.headers["Tus-Max-Size"] = str(settings.max_upload_bytes)


@router.post("", status_code=201, dependencies=[RoomNeeded])
async def create_upload(
    request: Request,
    response: Response,
    platform: PlatformDep,
    user: CurrentUser,
    session: WriteSession,
    idempotency: IdempotencyKey,
    upload_length: Count = None,
    upload_metadata: Metadata = "",
) -> UploadRead:
    """Create an upload of a zip archive in pieces. Send them to `Location`."""
    length = _count("Upload-Length", upload_length, least=1)
    if length > (most := platform.settings.max_upload_bytes):
        raise TooLarge(f"The largest archive has {most:,} bytes.")
    platform.disks.require_room(length)

    async def create() -> UploadRead:
        upload = await use_cases.create_upload(session, user=user, length=length, metadata=upload_metadata)
        return UploadRead.model_validate(upload)

    body = {"length": length, "metadata": upload_metadata}
    created = await idempotency.once(
        session,
        user_id=user.id,
        body=body,
        result_type=UploadRead,
        create=create,
        find=lambda made: use_cases.get_upload(session, user=user, upload_id=made.id),
    )
    response.headers["Location"] = f"{request.url.path}/{created.id}"
    response.headers["Upload-Expires"] = format_datetime(created.expires_at, usegmt=True)
    return created


@router.get("/{upload_id}")
async def get_upload(upload_id: UploadId, user: CurrentUser, session: ReadSession) -> UploadRead:
    """Return the progress of an upload, and the data set that it created."""
    return UploadRead.model_validate(await use_cases.get_upload(session, user=user, upload_id=upload_id))


@router.head("/{upload_id}", status_code=200)
async def get_upload_offset(upload_id: UploadId, user: CurrentUser, session: ReadSession) -> Response:
    """Return the progress of an upload, as headers."""
    upload = await use_cases.get_upload(session, user=user, upload_id=upload_id)
    headers = {"Upload-Length": str(upload.length), "Cache-Control": "no-store"}
    if upload.upload_metadata:
        headers["Upload-Metadata"] = upload.upload_metadata
    return Response(headers=_state(upload) | headers)


@router.patch(
    "/{upload_id}",
    dependencies=[RoomNeeded],
    status_code=204,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {CONTENT_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def append_to_upload(
    upload_id: UploadId,
    request: Request,
    user: CurrentUser,
    database: DatabaseDep,
    store: StoreDep,
    upload_offset: Count = None,
) -> Response:
    """Send bytes at `Upload-Offset`, any number of them.

    With the last byte the data set or the version is created; `Upload-Dataset` names it. A later request takes over
    from one that is still sending, which is then refused with 409.
    """
    if request.headers.get("content-type", "") != CONTENT_TYPE:
        raise UnsupportedMediaType(f"Send the bytes with `Content-Type: {CONTENT_TYPE}`.")
    offset = _count("Upload-Offset", upload_offset)
    upload = await workflows.receive_parts(
        database, store=store, user=user, upload_id=upload_id, offset=offset, request=request
    )
    return Response(status_code=204, headers=_state(upload))


@router.delete("/{upload_id}", status_code=204)
async def delete_upload(upload_id: UploadId, store: StoreDep, user: CurrentUser, session: WriteSession) -> None:
    """Delete an upload. The data set that it created stays."""
    await use_cases.delete_upload(session, store=store, user=user, upload_id=upload_id)


def _state(upload: ResumableUpload) -> dict[str, str]:
    headers = {
        "Upload-Offset": str(upload.offset),
        "Upload-Expires": format_datetime(upload.expires_at, usegmt=True),
    }
    if upload.dataset_id is not None:
        headers["Upload-Dataset"] = str(upload.dataset_id)
        headers["Upload-Dataset-Version"] = str(upload.version)
    return headers


def _count(name: str, text: str | None, *, least: int = 0) -> int:
    """Parse a header's number. Raises Invalid."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= 18) or int(text) < least:
        raise Invalid(f"{name} must be a whole number of bytes, at least {least}.", field=name)
    return int(text)
