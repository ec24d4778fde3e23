"""Routes of registered models and model cards."""

from pathlib import PurePosixPath
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response, status

from vision_api.auth.dependencies import CurrentUser, StreamUser
from vision_api.dependencies import CatalogDep, DatabaseDep, ReadSession, StoreDep, WriteSession
from vision_api.kit.idempotency import IdempotencyKey
from vision_api.kit.pagination import PageParams, set_page_headers
from vision_api.kit.schemas import ResourceId
from vision_api.model_registry import use_cases, workflows
from vision_api.model_registry.hub_card import render_version
from vision_api.model_registry.schemas import (
    ModelName,
    ModelRegister,
    ModelVersionRead,
    ModelVersionUpdate,
    RegisteredModelRead,
)
from vision_api.training_jobs.results import downloads
from vision_api.training_jobs.schemas import ArtifactName, PresignedUrl

router = APIRouter(tags=["registered models"])

MODELS = "/projects/{project_id}/models"
VERSIONS = MODELS + "/{name}/versions"
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
VersionPath = Annotated[
    Number | Literal["latest", "production"], Path(description="A number, `latest` or `production`.")
]
MARKDOWN = "text/markdown; charset=utf-8"


@router.post(MODELS, status_code=status.HTTP_201_CREATED)
async def register_model(
    project_id: ResourceId,
    body: ModelRegister,
    database: DatabaseDep,
    store: StoreDep,
    catalog: CatalogDep,
    user: CurrentUser,
    idempotency: IdempotencyKey,
    request: Request,
    response: Response,
) -> ModelVersionRead:
    """Register a result as the next version of `name`, with a copy of its weights. Requires the role `editor`.

    The copy stays when the experiment is deleted or trained further. Number, weights and `lineage` of a version never
    change. With the stage `production` it replaces the version that was in production.
    """
    version = await workflows.register(
        database,
        store=store,
        catalog=catalog,
        user=user,
        project_id=project_id,
        request=body,
        idempotency=idempotency,
    )
    path = {"project_id": project_id, "name": version.name, "version": version.version}
    response.headers["Location"] = quote(request.url_for("get_model_version", **path).path)
    return version


@router.get(MODELS)
async def list_registered_models(
    project_id: ResourceId,
    session: ReadSession,
    user: CurrentUser,
    params: PageParams,
    request: Request,
    response: Response,
) -> list[RegisteredModelRead]:
    """List the registered models of a project, newest first."""
    page = await use_cases.page_models(session, user=user, project_id=project_id, params=params)
    set_page_headers(request, response, page)
    return list(page.items)


@router.get(MODELS + "/{name}")
async def get_registered_model(
    project_id: ResourceId, name: ModelName, session: ReadSession, user: CurrentUser
) -> RegisteredModelRead:
    """Get a registered model with its newest version and the one in production."""
    return await use_cases.get_model(session, user=user, project_id=project_id, name=name)


@router.get(VERSIONS)
async def list_model_versions(
    project_id: ResourceId,
    name: ModelName,
    session: ReadSession,
    user: CurrentUser,
    params: PageParams,
    request: Request,
    response: Response,
) -> list[ModelVersionRead]:
    """List the versions of a registered model, newest first."""
    page = await use_cases.page_versions(session, user=user, project_id=project_id, name=name, params=params)
    set_page_headers(request, response, page)
    return list(page.items)


@router.get(VERSIONS + "/{version}")
async def get_model_version(
    project_id: ResourceId, name: ModelName, version: VersionPath, session: ReadSession, user: CurrentUser
) -> ModelVersionRead:
    """Get a version with its lineage: experiment, data set version, settings, library versions and metrics."""
    return await use_cases.get_version(session, user=user, project_id=project_id, name=name, which=version)


@router.patch(VERSIONS + "/{version}")
async def update_model_version(
    project_id: ResourceId,
    name: ModelName,
    version: Number,
    body: ModelVersionUpdate,
    session: WriteSession,
    user: CurrentUser,
) -> ModelVersionRead:
    """Move a version to another stage, or change its notes. Requires the role `editor`.

    At most one version of a name is in `production`: the previous one is `archived` in the same transaction.
    """
    return await use_cases.update_version(
        session, user=user, project_id=project_id, name=name, number=version, changes=body
    )


@router.delete(VERSIONS + "/{version}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_model_version(
    project_id: ResourceId, name: ModelName, version: Number, session: WriteSession, user: CurrentUser
) -> None:
    """Delete a version with its weights; 409 `in_use` while it is in production. Its number is not used again."""
    await use_cases.delete_version(session, user=user, project_id=project_id, name=name, number=version)


@router.get(
    VERSIONS + "/{version}/download",
    response_class=Response,
    responses={200: {"model": PresignedUrl, "content": {"application/octet-stream": {}}}, 206: {}, 304: {}},
)
async def download_model_version(
    project_id: ResourceId,
    name: ModelName,
    version: VersionPath,
    database: DatabaseDep,
    user: StreamUser,
    store: StoreDep,
    request: Request,
    presign: Annotated[bool, Query(description="Return a URL of the object store instead of the file.")] = False,
) -> Response:
    """Download the weights, or a range of them. `production` selects the version that is in production."""
    async with database.snapshot() as session:
        found = await use_cases.get_version(session, user=user, project_id=project_id, name=name, which=version)
    file = downloads.StoredFile(
        name=f"{found.name}-{found.version}{PurePosixPath(found.artifact).suffix}",
        uri=found.uri,
        size_bytes=found.size_bytes,
        sha256=found.sha256,
        content_type=found.content_type,
    )
    return await downloads.respond(request, store, file, presign=presign)


@router.get(VERSIONS + "/{version}/model-card", response_class=Response, responses={200: {"content": {MARKDOWN: {}}}})
async def get_version_card(
    project_id: ResourceId, name: ModelName, version: VersionPath, session: ReadSession, user: CurrentUser
) -> Response:
    """Get the `README.md` of a version in the Hugging Face hub's format: model, training data, settings and metrics."""
    found = await use_cases.get_version(session, user=user, project_id=project_id, name=name, which=version)
    return Response(render_version(found), media_type=MARKDOWN)


@router.get("/training/jobs/{job_id}/model-card", response_class=Response, responses={200: {"content": {MARKDOWN: {}}}})
async def get_job_card(
    job_id: ResourceId,
    database: DatabaseDep,
    store: StoreDep,
    catalog: CatalogDep,
    user: CurrentUser,
    artifact: Annotated[ArtifactName, Query(description="The described checkpoint or export.")] = "checkpoints/best",
) -> Response:
    """Get the model card of an experiment that is not registered."""
    card = await workflows.render_job_card(
        database, store=store, catalog=catalog, user=user, job_id=job_id, artifact=artifact
    )
    return Response(card, media_type=MARKDOWN)
