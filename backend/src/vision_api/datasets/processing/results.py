"""Results of processing: changes of a version's row once its upload was processed, or could not be."""

import errno
import logging
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import Finding, ObjectNotFound, ObjectStore
from vision_api.background.leases import Claim
from vision_api.background.process import ProcessTimedOut
from vision_api.background.repository import lock_claimed
from vision_api.background.worker import retry_delay
from vision_api.datasets import repository
from vision_api.datasets.processing.prepare import DatasetSummary, PrepareResult
from vision_api.datasets.use_cases import KEPT_AFTER_DELETION, Origin
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import DatasetStatus, DatasetVersion
from vision_api.storage_layout import archive_key, content_keys

log = logging.getLogger(__name__)

RETRY_SECONDS = (10.0, 20.0)
"""Delays of the retries."""
POSTPONE_SECONDS = 10.0
MAX_CLOCK_SKEW = timedelta(minutes=1)


@dataclass(frozen=True)
class ClaimedVersion(Claim):
    """A version that this processor has claimed."""

    origin: Origin


async def apply_result(database: Database, store: ObjectStore, claim: ClaimedVersion, result: PrepareResult) -> bool:
    """Write the result into the row, and return whether that was done.

    It is not if the claim is lost, or if the sweep is about to delete the same content of a deleted data set. In that
    case the version is processed once more, after the sweep.
    """
    summary = result.summary
    uris = _stored_uris(store, summary) if summary is not None else []
    async with database.transaction() as session:
        version = await _lock(session, claim, summary)
        if version is None:
            await _abandon(session, store, summary)
            return False
        if await repository.is_garbage_due(session, uris, before=utc_now() + MAX_CLOCK_SKEW):
            _postpone(version)
            return False
        if summary is not None:
            version.archive_uri = store.uri(archive_key(summary.digest))
            for name, value in vars(summary).items():
                setattr(version, name, value)
            await repository.remove_garbage(session, uris)
        status = DatasetStatus.READY if summary is not None else DatasetStatus.INVALID
        await _finish(session, version, status, result.findings)
    return True


async def apply_failure(
    database: Database, store: ObjectStore, claim: ClaimedVersion, error: Exception, summary: DatasetSummary | None
) -> None:
    """Retry later, or mark the version as failed after too many tries: an error that is not the data set's.

    With `summary` some of its files may be stored.
    """
    log.warning("version row %d cannot be processed now: %r", claim.row_id, error)
    async with database.transaction() as session:
        version = await _lock(session, claim, summary)
        if version is None:
            await _abandon(session, store, summary)
            return
        delay = retry_delay(RETRY_SECONDS, claim.tries)
        if delay is not None and not isinstance(error, (ObjectNotFound, ProcessTimedOut)):
            version.release(delay)
            return
        await _finish(session, version, DatasetStatus.FAILED, [_failure_finding(error, _stage(version))])
        await _abandon(session, store, summary)


async def _lock(session: AsyncSession, claim: ClaimedVersion, summary: DatasetSummary | None) -> DatasetVersion | None:
    await repository.lock_contents(session, [summary.digest] if summary is not None else [])
    return await lock_claimed(session, DatasetVersion, claim)


async def _abandon(session: AsyncSession, store: ObjectStore, summary: DatasetSummary | None) -> None:
    """Mark what was stored for the sweep, unless another version has the same content."""
    if summary is not None and not await repository.is_digest_used(session, summary.digest):
        await repository.add_garbage(session, _stored_uris(store, summary), due_at=utc_now() + KEPT_AFTER_DELETION)


def _postpone(version: DatasetVersion) -> None:
    version.tries -= 1
    version.release(POSTPONE_SECONDS)


async def _finish(
    session: AsyncSession, version: DatasetVersion, status: DatasetStatus, findings: list[Finding]
) -> None:
    version.status = status
    version.findings = [finding.model_dump(mode="json") for finding in findings]
    version.error_count = sum(finding.severity == "error" for finding in findings)
    version.warning_count = len(findings) - version.error_count
    version.release()
    if version.upload_uri is not None:
        await repository.add_garbage(session, [version.upload_uri], due_at=utc_now())
        version.upload_uri = None
    log.info("version %d of data set %d is %s", version.number, version.dataset_id, status)


def _stored_uris(store: ObjectStore, summary: DatasetSummary) -> list[str]:
    images = {split: counts["images"] for split, counts in summary.splits.items()}
    return [store.uri(key) for key in content_keys(summary.digest, images)]


def _stage(version: DatasetVersion) -> str:
    percent = f" at {version.progress_percent} percent" if version.progress_percent is not None else ""
    return f"{version.progress_stage or 'waiting'}{percent}"


def _failure_finding(error: Exception, stage: str) -> Finding:
    code = "processing_failed"
    if isinstance(error, ProcessTimedOut):
        code, message = (
            "processing_timed_out",
            f"The check {error}, {stage}, and was ended: a file may be made to block it.",
        )
        fix = "Upload it in parts to find the file, and remove that."
    elif isinstance(error, OSError) and error.errno == errno.ENOSPC:
        message, fix = "The server's disk is full.", "Ask an administrator to free some space, and upload it again."
    elif isinstance(error, ObjectNotFound):
        message, fix = "The uploaded or imported file is no longer in storage.", "Upload or import it again."
    else:
        message, fix = f"The server could not process it ({type(error).__name__}).", "Upload it again, or in parts."
    return Finding(code=code, file="", message=message, fix=fix)
