"""What becomes of an upload's row once somebody has processed it, or tried to."""

import errno
import logging
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import Finding, ObjectNotFound, ObjectStore
from vision_api.datasets import repository
from vision_api.datasets.processing.prepare import Facts, Prepared
from vision_api.datasets.processing.prepare_process import PrepareTimedOut
from vision_api.datasets.use_cases import KEPT_AFTER_DELETION, Origin
from vision_api.db.base import database_now
from vision_api.db.claims import lock_claimed
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.models import DatasetStatus, DatasetVersion
from vision_api.storage_layout import archive_key, content_keys

log = logging.getLogger(__name__)

MOST_TRIES = 3
RETRY_SECONDS = 10.0
CLOCKS_DIFFER = timedelta(minutes=1)


@dataclass(frozen=True)
class ClaimedVersion:
    """An upload that is ours to process, as long as the row has this number of tries."""

    version_id: int
    tries: int
    origin: Origin


async def apply_prepared(database: Database, store: ObjectStore, claim: ClaimedVersion, prepared: Prepared) -> bool:
    """Write down what was found. False if nothing was: the row is no longer ours, or the sweep is about to delete the
    same content of a data set that was deleted before. Then it is processed once more, after the sweep.
    """
    facts = prepared.facts
    uris = _stored_uris(store, facts) if facts is not None else []
    async with database.transaction() as session:
        version = await _lock(session, claim, facts)
        if version is None:
            await _abandon(session, store, facts)
            return False
        if await repository.is_garbage_due(session, uris, before=utc_now() + CLOCKS_DIFFER):
            _postpone(version)
            return False
        if facts is not None:
            version.archive_uri = store.uri(archive_key(facts.digest))
            for name, value in vars(facts).items():
                setattr(version, name, value)
            await repository.rescue_garbage(session, uris)
        status = DatasetStatus.READY if facts is not None else DatasetStatus.INVALID
        await _finish(session, version, status, prepared.findings)
    return True


async def apply_failure(
    database: Database, store: ObjectStore, claim: ClaimedVersion, error: Exception, facts: Facts | None
) -> None:
    """It could not be processed, and that is not the data set's fault: try again later, but not for ever. With `facts`
    some of its files may be stored.
    """
    log.warning("version row %d cannot be processed now: %r", claim.version_id, error)
    async with database.transaction() as session:
        version = await _lock(session, claim, facts)
        if version is None:
            await _abandon(session, store, facts)
            return
        if claim.tries < MOST_TRIES and not isinstance(error, (ObjectNotFound, PrepareTimedOut)):
            _wait(version, RETRY_SECONDS * claim.tries)
            return
        await _finish(session, version, DatasetStatus.FAILED, [_failure_finding(error, _stage(version))])
        await _abandon(session, store, facts)


async def release_claim(database: Database, claim: ClaimedVersion) -> None:
    """We are stopping: somebody else may begin at once, and this try does not count."""
    async with database.transaction() as session:
        version = await lock_claimed(session, DatasetVersion, claim.version_id, claim.tries)
        if version is not None:
            version.tries -= 1
            _wait(version, None)


async def _lock(session: AsyncSession, claim: ClaimedVersion, facts: Facts | None) -> DatasetVersion | None:
    await repository.lock_contents(session, [facts.digest] if facts is not None else [])
    return await lock_claimed(session, DatasetVersion, claim.version_id, claim.tries)


async def _abandon(session: AsyncSession, store: ObjectStore, facts: Facts | None) -> None:
    """Leave to the sweep what was stored, unless another data set has the same content."""
    if facts is not None and not await repository.is_digest_used(session, facts.digest):
        await repository.add_garbage(session, _stored_uris(store, facts), due_at=utc_now() + KEPT_AFTER_DELETION)


def _postpone(version: DatasetVersion) -> None:
    version.tries -= 1
    _wait(version, RETRY_SECONDS)


def _wait(version: DatasetVersion, seconds: float | None) -> None:
    version.lease_expires_at = database_now(seconds) if seconds is not None else None
    version.progress_stage = version.progress_percent = None


async def _finish(
    session: AsyncSession, version: DatasetVersion, status: DatasetStatus, findings: list[Finding]
) -> None:
    version.status = status
    version.findings = [finding.model_dump(mode="json") for finding in findings]
    version.error_count = sum(finding.severity == "error" for finding in findings)
    version.warning_count = len(findings) - version.error_count
    _wait(version, None)
    if version.upload_uri is not None:
        await repository.add_garbage(session, [version.upload_uri], due_at=utc_now())
        version.upload_uri = None
    log.info("version %d of data set %d is %s", version.number, version.dataset_id, status)


def _stored_uris(store: ObjectStore, facts: Facts) -> list[str]:
    images = {split: counts["images"] for split, counts in facts.splits.items()}
    return [store.uri(key) for key in content_keys(facts.digest, images)]


def _stage(version: DatasetVersion) -> str:
    percent = f" at {version.progress_percent} percent" if version.progress_percent is not None else ""
    return f"{version.progress_stage or 'waiting'}{percent}"


def _failure_finding(error: Exception, stage: str) -> Finding:
    code = "processing_failed"
    if isinstance(error, PrepareTimedOut):
        code, message = "processing_timed_out", f"{error}, {stage}, and was ended: a file may be made to keep it busy."
        fix = "Upload it in parts to find the file, and remove that."
    elif isinstance(error, OSError) and error.errno == errno.ENOSPC:
        message, fix = "The server's disk is full.", "Ask an administrator to free some space, and upload it again."
    elif isinstance(error, ObjectNotFound):
        message, fix = "What was brought in is no longer in storage.", "Bring it in again."
    else:
        message, fix = f"The server could not process it ({type(error).__name__}).", "Upload it again, or in parts."
    return Finding(code=code, file="", message=message, fix=fix)
