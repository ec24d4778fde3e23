"""Routes of data sets."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from data_kit import DatasetStatistics
from vision_api.auth.dependencies import CurrentUser, StreamUser
from vision_api.datasets import use_cases, version_use_cases, workflows
from vision_api.datasets.previews.preview import draw
from vision_api.datasets.schemas import (
    DatasetImport,
    DatasetRead,
    DatasetUpdate,
    DiffRead,
    FindingRead,
    SplitRequest,
    VersionImport,
    VersionRead,
)
from vision_api.datasets.uploads import workflows as uploads
from vision_api.dependencies import DatabaseDep, DrawersDep, ReadSession, SettingsDep, StoreDep, WriteSession
from vision_api.disk_space.dependencies import RoomNeeded
from vision_api.kit.conditional import is_known
from vision_api.kit.idempotency import IdempotencyKey
from vision_api.kit.pagination import PageParams, set_page_headers
from vision_api.kit.schemas import ResourceId
from vision_api.models import DatasetStatus

router = APIRouter(prefix="/datasets", tags=["datasets"])


def _form(**fields: dict[str, Any]) -> dict[str, Any]:
    file = {"type": "string", "format": "binary", "description": "A zip archive."}
    required = [name for name in ("name",) if name in fields]
    splits = SplitRequest.model_json_schema()["properties"]
    schema = {"type": "object", "required": ["file", *required], "properties": {"file": file, **fields, **splits}}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


_CREATE_FORM = _form(
    name={"type": "string", "maxLength": 200, "example": "Coins, first batch"},
    project_id={
        "type": "integer",
        "minimum": 1,
        "maximum": 2**63 - 1,
        "description": "Without it the data set is yours alone.",
    },
)


VersionNumber = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="The newest by default.")]


@router.post("", status_code=202, openapi_extra=_CREATE_FORM, dependencies=[RoomNeeded])
async def create_dataset(
    request: Request,
    response: Response,
    user: CurrentUser,
    database: DatabaseDep,
    store: StoreDep,
    settings: SettingsDep,
    idempotency: IdempotencyKey,
) -> DatasetRead:
    """Upload a zip archive of an ImageFolder, YOLO, COCO or Pascal VOC data set.

    It is checked in the background: poll it until `status` is `ready`, or `invalid` with findings.
    """
    dataset = await uploads.upload_dataset(
        database, store=store, settings=settings, user=user, request=request, idempotency=idempotency
    )
    response.headers["Location"] = f"/api/v1/datasets/{dataset.id}"
    return dataset


@router.post("/import", status_code=202, dependencies=[RoomNeeded])
async def import_dataset(
    body: DatasetImport,
    response: Response,
    user: CurrentUser,
    database: DatabaseDep,
    settings: SettingsDep,
    idempotency: IdempotencyKey,
) -> DatasetRead:
    """Import a data set from a folder or a zip archive that the server can read, copied and checked as an upload."""
    dataset = await uploads.import_dataset(
        database, settings=settings, user=user, request=body, idempotency=idempotency
    )
    response.headers["Location"] = f"/api/v1/datasets/{dataset.id}"
    return dataset


@router.get("")
async def list_datasets(
    request: Request,
    response: Response,
    user: CurrentUser,
    session: ReadSession,
    params: PageParams,
    project_id: Annotated[ResourceId | None, Query(description="Only data sets of this project.")] = None,
    status: DatasetStatus | None = None,
) -> list[DatasetRead]:
    """List your data sets and those of your projects, newest first."""
    page = await use_cases.page_datasets(session, user=user, params=params, project_id=project_id, status=status)
    set_page_headers(request, response, page)
    return list(page.items)


@router.get("/{dataset_id}")
async def get_dataset(dataset_id: ResourceId, user: CurrentUser, session: ReadSession) -> DatasetRead:
    """Return one data set, with the content of its newest version."""
    return await use_cases.get_dataset(session, user=user, dataset_id=dataset_id)


@router.patch("/{dataset_id}")
async def update_dataset(
    dataset_id: ResourceId, body: DatasetUpdate, user: CurrentUser, session: WriteSession
) -> DatasetRead:
    """Rename a data set."""
    return await use_cases.update_dataset(session, user=user, dataset_id=dataset_id, request=body)


@router.delete("/{dataset_id}", status_code=204)
async def delete_dataset(dataset_id: ResourceId, user: CurrentUser, session: WriteSession) -> None:
    """Delete a data set with all its versions, unless an experiment still has to train on it."""
    await use_cases.delete_dataset(session, user=user, dataset_id=dataset_id)


@router.get("/{dataset_id}/findings")
async def list_findings(
    dataset_id: ResourceId, user: CurrentUser, session: ReadSession, version: VersionNumber = None
) -> list[FindingRead]:
    """List the findings of a version, errors first, each with its file and a fix. Of each kind up to a hundred."""
    return await version_use_cases.list_findings(session, user=user, dataset_id=dataset_id, version=version)


@router.get("/{dataset_id}/statistics")
async def get_statistics(
    dataset_id: ResourceId, user: CurrentUser, session: ReadSession, version: VersionNumber = None
) -> DatasetStatistics:
    """Return the numbers of images, objects and classes of each split."""
    return await version_use_cases.get_statistics(session, user=user, dataset_id=dataset_id, version=version)


@router.get(
    "/{dataset_id}/preview",
    response_class=Response,
    responses={
        200: {"description": "A picture.", "content": {"image/jpeg": {}}},
        304: {"description": "The picture is as in `If-None-Match`."},
    },
)
async def get_preview(
    dataset_id: ResourceId,
    request: Request,
    user: StreamUser,
    database: DatabaseDep,
    store: StoreDep,
    drawers: DrawersDep,
    split: Annotated[str, Query(pattern="^(train|val|test)$")] = "train",
    index: Annotated[int, Query(ge=0, le=2**31 - 1, description="Number of the image, counted from 0.")] = 0,
    size: Annotated[int, Query(ge=32, le=2048, description="Pixels along the longer side; 128 for names.")] = 640,
    version: VersionNumber = None,
) -> Response:
    """Draw one image, upright, with its labels: boxes with names, masks, keypoints, oriented boxes, or its class.

    A class has the same colour in all pictures. Cache a picture by `version`; without it, revalidate its ETag.
    """
    async with database.snapshot() as session:
        preview = await version_use_cases.find_preview(
            session, user=user, dataset_id=dataset_id, version=version, split=split, index=index, size=size
        )
    caching = "max-age=86400, immutable" if version is not None else "no-cache"
    headers = {"ETag": preview.etag, "Cache-Control": f"private, {caching}"}
    if is_known(request, preview.etag):
        return Response(status_code=304, headers=headers)
    return Response(await draw(store, drawers, preview), media_type="image/jpeg", headers=headers)


@router.get("/{dataset_id}/versions")
async def list_versions(
    dataset_id: ResourceId,
    request: Request,
    response: Response,
    user: CurrentUser,
    session: ReadSession,
    params: PageParams,
) -> list[VersionRead]:
    """List all versions, newest first."""
    page = await use_cases.page_versions(session, user=user, dataset_id=dataset_id, params=params)
    set_page_headers(request, response, page)
    return list(page.items)


@router.post("/{dataset_id}/versions", status_code=202, openapi_extra=_form(), dependencies=[RoomNeeded])
async def create_version(
    dataset_id: ResourceId,
    request: Request,
    user: CurrentUser,
    database: DatabaseDep,
    store: StoreDep,
    settings: SettingsDep,
    idempotency: IdempotencyKey,
) -> VersionRead:
    """Upload a new version. Experiments that were created before keep their version."""
    return await uploads.upload_version(
        database,
        store=store,
        settings=settings,
        user=user,
        dataset_id=dataset_id,
        request=request,
        idempotency=idempotency,
    )


@router.post("/{dataset_id}/versions/import", status_code=202, dependencies=[RoomNeeded])
async def import_version(
    dataset_id: ResourceId,
    body: VersionImport,
    user: CurrentUser,
    database: DatabaseDep,
    settings: SettingsDep,
    idempotency: IdempotencyKey,
) -> VersionRead:
    """Import a new version from a folder or a zip archive that the server can read."""
    return await uploads.import_version(
        database, settings=settings, user=user, dataset_id=dataset_id, request=body, idempotency=idempotency
    )


@router.get("/{dataset_id}/diff")
async def get_diff(
    dataset_id: ResourceId,
    user: CurrentUser,
    database: DatabaseDep,
    store: StoreDep,
    before: Annotated[int, Query(alias="from", ge=1, le=2**31 - 1)],
    after: Annotated[int, Query(alias="to", ge=1, le=2**31 - 1)],
) -> DiffRead:
    """Compare two versions: files that were added, removed, moved and changed, and images that were relabelled."""
    return await workflows.get_diff(database, store=store, user=user, dataset_id=dataset_id, before=before, after=after)
