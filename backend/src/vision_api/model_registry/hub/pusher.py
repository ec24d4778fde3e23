"""Background worker that pushes versions to the hub, one at a time, each in a process of its own."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import anyio.to_thread
from sqlalchemy.ext.asyncio import AsyncSession

from data_kit import ObjectNotFound, ObjectStore, StorageError
from http_kit.children import HUB, PROXIES
from vision_api.background.leases import Claim
from vision_api.background.process import Command, Limits, ProcessCrashed, ProcessTimedOut, run_process
from vision_api.background.progress import Progress
from vision_api.background.repository import lock_claimed
from vision_api.background.worker import Worker, retry_delay
from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.model_registry.hub import push_process, repository
from vision_api.model_registry.hub.push_process import CARD, LINEAGE, WEIGHTS, PushRequest, PushResult
from vision_api.model_registry.hub_card import render_version
from vision_api.model_registry.schemas import ModelVersionRead
from vision_api.model_registry.serializers import read_version
from vision_api.models import ModelPush, PushStatus

log = logging.getLogger(__name__)

RETRY_SECONDS = (20.0, 40.0, 80.0, 160.0)
"""Delays of the retries."""
LONGEST_SECONDS = 6 * 3600.0


@dataclass(frozen=True)
class ClaimedPush(Claim):
    """A push that this worker has claimed."""

    repository: str
    is_private: bool
    version: ModelVersionRead


class HubPusher(Worker[ModelPush, ClaimedPush, PushResult]):
    """Worker that claims the next waiting push, again and again."""

    name = "pushes"

    def __init__(self, database: Database, store: ObjectStore, settings: Settings) -> None:
        super().__init__(database, ModelPush, settings.data_dir / "pushing")
        self._store = store
        self._settings = settings

    async def claim_next(self) -> ClaimedPush | None:
        """Claim the next push. Without a token, pushes wait."""
        return await super().claim_next() if self._settings.hub_token is not None else None

    async def read_claim(self, session: AsyncSession, row: ModelPush) -> ClaimedPush:
        """Return the claim on a push, with its version."""
        version, project_id, project_name, name = await repository.get_version_with_names(session, row.version_id)
        read = read_version(version, project_id=project_id, project_name=project_name, name=name)
        return ClaimedPush(row.id, row.tries, row.repository, row.is_private, read)

    async def work(self, claim: ClaimedPush, folder: Path, progress: Progress) -> PushResult:
        """Write the files of a version, and push them."""
        del progress
        files = await anyio.to_thread.run_sync(self._write_files, claim.version, folder)
        assert self._settings.hub_token is not None  # noqa: S101 - nothing is claimed without a token
        request = PushRequest(
            endpoint=self._settings.hub_url,
            token=self._settings.hub_token.get_secret_value(),
            repository=claim.repository,
            is_private=claim.is_private,
            message=claim.version.reference,
            tag=f"v{claim.version.version}",
            files=files,
        )
        return await push_in_process(request, folder)

    def _write_files(self, version: ModelVersionRead, folder: Path) -> dict[str, Path]:
        """Write the files of a version, and return their paths by name in the repository."""
        card, lineage = folder / CARD, folder / LINEAGE
        card.write_text(render_version(version), "utf-8")
        lineage.write_text(version.lineage.model_dump_json(indent=2), "utf-8")
        weights = self._store.local_path(version.uri)
        if weights is None:
            weights = folder / WEIGHTS
            with weights.open("wb") as file:
                file.writelines(self._store.read(version.uri))
        elif not weights.exists():
            raise ObjectNotFound(f"There is no object {version.uri}.")
        return {CARD: card, LINEAGE: lineage, WEIGHTS + PurePosixPath(version.artifact).suffix: weights}

    async def apply_result(self, claim: ClaimedPush, result: PushResult, folder: Path) -> None:
        """Store the result of a push, or schedule its retry."""
        del folder
        await self._apply(claim, result)

    async def apply_error(self, claim: ClaimedPush, error: Exception) -> None:
        """Store the error of a push, or schedule its retry."""
        await self._apply(claim, _failed(error))

    async def _apply(self, claim: ClaimedPush, result: PushResult) -> None:
        delay = retry_delay(RETRY_SECONDS, claim.tries) if result.is_transient else None
        async with self._database.transaction() as session:
            push = await lock_claimed(session, ModelPush, claim)
            if push is None:
                return
            push.release(delay)
            if delay is not None:
                log.warning("push %d is retried: %s", push.id, result.error_message)
                return
            push.status = PushStatus.PUSHED if result.commit_url else PushStatus.FAILED
            push.commit_url = result.commit_url or None
            push.error_code, push.error_message = result.error_code or None, result.error_message or None
            await session.flush()
            await repository.free_unused_repository(session, push.version_id)
            log.info("push %d to %s: %s %s", push.id, push.repository, push.status, push.error_code or "")


async def push_in_process(request: PushRequest, folder: Path) -> PushResult:
    """Push in a process, which keeps its cache in `folder`. Raises ProcessCrashed, ProcessTimedOut."""
    sent = push_process.request_json.dump_json(request)
    own = {"HF_HOME": str(folder / "client")}
    command = Command(push_process.__name__, input=sent, values=own, allowed=(*HUB, *PROXIES))
    return push_process.result_json.validate_json(await run_process(command, Limits(LONGEST_SECONDS)))


def _failed(error: Exception) -> PushResult:
    match error:
        case ObjectNotFound():
            return PushResult(error_code="weights_missing", error_message="The weights are no longer in storage.")
        case ProcessTimedOut():
            message = f"The push took longer than {LONGEST_SECONDS / 3600:g} hours."
            return PushResult(error_code="hub_unavailable", error_message=message, is_transient=True)
        case ProcessCrashed():
            message = f"The pushing process died ({error})."
            return PushResult(error_code="push_died", error_message=message, is_transient=True)
        case StorageError() | OSError():
            message = f"The weights could not be read: {error}"
            return PushResult(error_code="storage_unavailable", error_message=message, is_transient=True)
        case _:
            message = f"The push failed ({type(error).__name__})."
            return PushResult(error_code="push_died", error_message=message, is_transient=True)


@asynccontextmanager
async def running_pusher(database: Database, store: ObjectStore, settings: Settings) -> AsyncGenerator[None]:
    """Run the pusher. Without a token there is none."""
    if settings.hub_token is None:
        yield
        return
    async with HubPusher(database, store, settings).running():
        yield
