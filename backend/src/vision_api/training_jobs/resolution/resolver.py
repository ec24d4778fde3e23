"""Resolution of a request into the settings of a job: everything is checked and decided before a row is written.

Nothing here writes, and no database session is open while files are read.
"""

import asyncio
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import DatasetError, Finding, open_dataset
from vision_api.catalog.catalog import Catalog
from vision_api.catalog.queries import get_model
from vision_api.config import Settings
from vision_api.datasets.allowed_paths import check_dataset_path
from vision_api.datasets.resolution import resolve_for_job
from vision_api.db.session import Database
from vision_api.error_handlers import invalid_fields
from vision_api.errors import Invalid, NotFound
from vision_api.models import TrainingJob, User
from vision_api.projects.access import get_project_for
from vision_api.training_jobs import access, repository
from vision_api.training_jobs.resolution.hyperparameters import check_hyperparameters, resolve_params
from vision_api.training_jobs.schemas import InitialCheckpoint, TrainingJobCreate, TrainingJobUpdate
from vision_api.training_jobs.settings import JobDataset, JobSettings
from vision_contracts import ArtifactKind, DatasetFormat, FieldProblem, ModelDetail

FOLDER_CHECK_SECONDS = 10.0


async def resolve(
    database: Database, *, settings: Settings, catalog: Catalog, user: User, request: TrainingJobCreate
) -> JobSettings:
    """Return the settings of the job that `request` describes, checked against the catalogue, the data sets and the
    user's rights. Raises Invalid, Forbidden or NotFound.
    """
    card = get_model(catalog, request.framework, request.model_name)
    _check_task(card, request)
    params = resolve_params(card, request.model_dump())
    check_hyperparameters(card, request.hyperparameters or {})
    folder = await _check_folder(settings, request) if request.dataset_path is not None else None
    async with database.snapshot() as session:
        await get_project_for(session, user, request.project_id, role="editor")
        weights = await _resolve_weights(session, user, card, request)
        dataset = folder or await _resolve_dataset(session, user, request, seed=params.seed)
    return JobSettings(
        name=request.name or request.model_name,
        notes=request.notes or "",
        framework=request.framework,
        model_name=request.model_name,
        task_type=request.task_type,
        dataset=dataset,
        params=params,
        initial_weights=weights,
        priority=request.priority or 0,
        timeout_seconds=request.timeout_seconds,
        hyperparameters=request.hyperparameters or {},
    )


def merge_changes(job: TrainingJob, changes: TrainingJobUpdate | None, **fixed: Any) -> TrainingJobCreate:
    """Return the request that creates a job with the settings of `job` and `changes`. Raises Invalid for changes that
    contradict each other.
    """
    changed = changes.model_dump(exclude_unset=True) if changes else {}
    kept = {name: getattr(job, name) for name in TrainingJobCreate.model_fields if name != "pretrained"}
    if {"dataset_id", "dataset_path"} & changed.keys():
        for name in ("dataset_id", "dataset_path", "dataset_version", "dataset_format"):
            kept.pop(name)
    if {"pretrained", "initial_weights"} & changed.keys():
        kept.pop("initial_weights")
    try:
        return TrainingJobCreate.model_validate(kept | changed | fixed)
    except ValidationError as error:
        problems = invalid_fields(error.errors())
        raise Invalid(problems[0].message, errors=problems) from error


async def _check_folder(settings: Settings, request: TrainingJobCreate) -> JobDataset:
    """Read the labels of a user's folder, so that a broken one is refused now and not when the job starts. A check
    that takes longer than a few seconds is left to the trainer, which repeats it.
    """
    assert request.dataset_path is not None  # noqa: S101 - the caller has checked it
    path = check_dataset_path(settings, request.dataset_path)
    format = request.dataset_format or DatasetFormat.AUTO
    read = partial(open_dataset, path, format=format, task_type=request.task_type)
    try:
        async with asyncio.timeout(FOLDER_CHECK_SECONDS):
            await asyncio.to_thread(read)
    except TimeoutError:
        pass
    except DatasetError as error:
        raise _dataset_invalid(error) from error
    return JobDataset(dataset_path=request.dataset_path, dataset_uri=Path(path).as_uri(), dataset_format=format)


def _check_task(card: ModelDetail, request: TrainingJobCreate) -> None:
    if request.task_type in card.task_types:
        return
    supported = ", ".join(card.task_types)
    raise Invalid(
        f"{card.display_name} cannot be trained for {request.task_type}; it can for {supported}.",
        code="task_not_supported",
        field="task_type",
    )


async def _resolve_weights(
    session: AsyncSession, user: User, card: ModelDetail, request: TrainingJobCreate
) -> Literal["scratch", "pretrained"] | InitialCheckpoint:
    weights = request.initial_weights
    if isinstance(weights, InitialCheckpoint):
        return await _resolve_checkpoint(session, user, card, weights)
    weights = weights or ("pretrained" if request.pretrained else "scratch")
    if weights == "pretrained" and not card.pretrained_available:
        field = "initial_weights" if request.pretrained is None else "pretrained"
        raise Invalid(f"There are no pretrained weights of {card.display_name}: start from scratch.", field=field)
    return weights


async def _resolve_checkpoint(
    session: AsyncSession, user: User, card: ModelDetail, checkpoint: InitialCheckpoint
) -> InitialCheckpoint:
    try:
        source = await access.get_job_for(session, user, checkpoint.job_id)
    except NotFound as error:
        raise Invalid(f"There is no experiment {checkpoint.job_id}.", field="initial_weights.job_id") from error
    if source.framework != card.framework:
        raise Invalid(
            f"Experiment {source.id} is of {source.framework}: its weights do not fit a model of {card.framework}.",
            field="initial_weights.job_id",
        )
    artifact = await repository.find_artifact(session, source.id, checkpoint.artifact)
    if artifact is None or artifact.kind != ArtifactKind.CHECKPOINT:
        message = f"Experiment {source.id} has no checkpoint {checkpoint.artifact}."
        raise Invalid(message, field="initial_weights.artifact")
    return InitialCheckpoint(job_id=source.id, artifact=artifact.name)


async def _resolve_dataset(session: AsyncSession, user: User, request: TrainingJobCreate, *, seed: int) -> JobDataset:
    assert request.dataset_id is not None  # noqa: S101 - TrainingJobCreate has one of the two
    resolved = await resolve_for_job(
        session,
        user,
        dataset_id=request.dataset_id,
        version=request.dataset_version,
        project_id=request.project_id,
        task_type=request.task_type,
    )
    return JobDataset.of_version(request.dataset_id, resolved, seed=seed)


def _dataset_invalid(error: DatasetError) -> Invalid:
    problems = [
        FieldProblem(field="dataset_path", code=finding.code, message=_with_location(finding))
        for finding in error.findings
        if finding.severity == "error"
    ]
    return Invalid(str(error), code="dataset_invalid", errors=problems[:20])


def _with_location(finding: Finding) -> str:
    location = f"{finding.file}:{finding.line}" if finding.line else finding.file
    return f"{location}: {finding.message}" if location else finding.message
