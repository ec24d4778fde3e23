"""Lineage of an artifact, built from the rows and the report of its experiment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ObjectStore
from vision_api.catalog.catalog import Catalog
from vision_api.catalog.queries import find_model
from vision_api.catalog.schemas import ModelDetailRead
from vision_api.comparison.compared_job import finite
from vision_api.comparison.repository import list_values_at
from vision_api.datasets.repository import get_version
from vision_api.model_registry.lineage import Lineage, LineageData, LineageFile, LineageJob, LineageModel
from vision_api.models import Artifact, Dataset, DatasetVersion, TrainingJob
from vision_api.training_jobs.repository import find_artifact
from vision_api.training_jobs.resolution.hyperparameters import fill_in_defaults
from vision_api.training_jobs.results.reports import REPORT, FoundReport, find_report
from vision_api.training_jobs.serializers import read_primary_metric
from vision_api.training_jobs.settings import TRAINING_SETTINGS
from vision_contracts import TaskType


@dataclass(frozen=True)
class LineageSource:
    """Rows about one artifact of a job."""

    job: TrainingJob
    artifact: Artifact
    values: Mapping[str, float | None]
    """Metrics at the step of the artifact."""
    report: Artifact | None
    dataset: Dataset | None
    version: DatasetVersion | None


async def find_lineage_source(session: AsyncSession, job: TrainingJob, name: str) -> LineageSource | None:
    """Load the rows about an artifact; None if the job has no such artifact."""
    artifact = await find_artifact(session, job.id, name)
    if artifact is None:
        return None
    values = await list_values_at(session, {job.id: artifact.step} if artifact.step is not None else {})
    number, dataset_id = job.dataset_version, job.dataset_id
    return LineageSource(
        job=job,
        artifact=artifact,
        values=values.get(job.id, {}),
        report=await find_artifact(session, job.id, REPORT),
        dataset=await session.get(Dataset, dataset_id) if dataset_id is not None else None,
        version=await get_version(session, dataset_id, number) if dataset_id is not None and number else None,
    )


async def build_lineage(store: ObjectStore, catalog: Catalog, source: LineageSource) -> Lineage:
    """Build the lineage. Reads the report from storage: call it outside of any database session."""
    job = source.job
    card = find_model(catalog, job.framework, job.model_name)
    report = await find_report(store, job, source.report)
    return Lineage(
        task_type=TaskType(job.task_type),
        job=LineageJob(uid=job.job_uid, **_columns(job, LineageJob.model_fields, besides=("uid",))),
        file=LineageFile(
            artifact=source.artifact.name,
            **_columns(source.artifact, LineageFile.model_fields, besides=("artifact",)),
        ),
        dataset=_data(source),
        model=_model(card, job),
        environment=job.environment or {},
        settings=_columns(job, TRAINING_SETTINGS) | {"hyperparameters": fill_in_defaults(card, job.hyperparameters)},
        primary_metric=read_primary_metric(job).name,
        metrics=_metrics(source, report),
        speed=report.report.speed if report.report is not None else None,
        report=report.state,
    )


def _columns(row: object, names: Sequence[str] | Mapping[str, Any], besides: Sequence[str] = ()) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names if name not in besides}


def _data(source: LineageSource) -> LineageData:
    job, version = source.job, source.version
    return LineageData(
        id=job.dataset_id,
        name=source.dataset.name if source.dataset is not None else None,
        version=job.dataset_version,
        digest=job.dataset_digest,
        path=job.dataset_path,
        format=job.dataset_format,
        validation_split=job.validation_split,
        num_classes=job.num_classes,
        splits=version.splits if version is not None else {},
    )


def _model(card: ModelDetailRead | None, job: TrainingJob) -> LineageModel:
    own = ("framework", "model_name")
    known = {name: getattr(card, name, None) for name in LineageModel.model_fields if name not in own}
    return LineageModel(framework=job.framework, model_name=job.model_name, **known)


def _metrics(source: LineageSource, report: FoundReport) -> dict[str, float | None]:
    """Return the report's metrics, and those that only the training reported."""
    reported = {name: finite(value) for name, value in source.values.items() if name.startswith("val/")}
    splits = report.report.splits.items() if report.report is not None else ()
    return reported | {f"{split}/{name}": finite(value) for split, of in splits for name, value in of.values.items()}
