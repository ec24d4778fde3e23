"""Evaluation reports of completed trainings: the artifact `report.json`, read from storage.

A report is validated, since a trainer wrote it; a broken one leads to a message and never to an error.
"""

from dataclasses import dataclass
from enum import StrEnum

import anyio.to_thread
from pydantic import ValidationError

from data_kit import ObjectNotFound, ObjectStore, StorageError
from vision_api.models import Artifact, JobStatus, TrainingJob
from vision_contracts import REPORT_VERSION, ConfusionMatrix, EvaluationReport

REPORT = "report.json"
LARGEST_BYTES = 16 * 1024**2


class ReportState(StrEnum):
    """State of a report, as it was found."""

    READ = "read"
    MISSING = "missing"
    OUTDATED = "outdated"
    BROKEN = "broken"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class FoundReport:
    """A report, or a message that says why there is none."""

    state: ReportState
    message: str
    report: EvaluationReport | None = None


async def find_report(store: ObjectStore, job: TrainingJob, artifact: Artifact | None) -> FoundReport:
    """Return the report of a job, without its matrices and curves. Call it outside of any database session."""
    if artifact is None:
        return FoundReport(ReportState.MISSING, "The experiment has left no report.")
    if job.status != JobStatus.COMPLETED:
        return FoundReport(ReportState.OUTDATED, f"The report is outdated: the experiment is {job.status} now.")
    try:
        content = await anyio.to_thread.run_sync(_read, store, artifact.uri)
    except ObjectNotFound:
        return FoundReport(ReportState.MISSING, "The report is no longer in storage.")
    except StorageError:
        return FoundReport(ReportState.UNAVAILABLE, "Object storage does not answer: try again shortly.")
    if len(content) > LARGEST_BYTES:
        return _broken(f"it is larger than {LARGEST_BYTES // 1024**2} MiB")
    return await anyio.to_thread.run_sync(_parse, content, job)


def _read(store: ObjectStore, uri: str) -> bytes:
    """Read the file, but no more than one byte too many, whatever size its row has."""
    return b"".join(store.read(uri, 0, LARGEST_BYTES + 1))


def _parse(content: bytes, job: TrainingJob) -> FoundReport:
    try:
        report = EvaluationReport.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return _broken(f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}")
    if report.report_version > REPORT_VERSION:
        return _broken(f"its version {report.report_version} is newer than this platform")
    if (report.framework, report.task_type) != (job.framework, job.task_type):
        return _broken(f"it is about {report.task_type} with {report.framework}")
    return FoundReport(ReportState.READ, "", _slim(report))


def _slim(report: EvaluationReport) -> EvaluationReport:
    """Drop matrices and curves, which take most of the memory and are not compared."""
    empty: dict[str, object] = {"confusion": ConfusionMatrix(labels=[], counts=[]), "curves": []}
    splits = {name: split.model_copy(update=empty) for name, split in report.splits.items()}
    return report.model_copy(update={"splits": splits})


def _broken(reason: str) -> FoundReport:
    return FoundReport(ReportState.BROKEN, f"The report cannot be read: {reason}.")
