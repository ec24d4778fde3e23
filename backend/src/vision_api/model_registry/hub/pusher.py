"""Background worker that pushes versions to the hub, one at a time, each in a process of its own."""

import asyncio
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import anyio.to_thread

from data_kit import ObjectNotFound, ObjectStore, StorageError
from vision_api.config import Settings
from vision_api.db import claims
from vision_api.db.base import database_now
from vision_api.db.network_guard import forbid_in_session
from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.kit.background import Worker
from vision_api.model_registry.hub import push_process, repository
from vision_api.model_registry.hub.push_process import CARD, LINEAGE, WEIGHTS, PushRequest, PushResult
from vision_api.model_registry.hub_card import render_version
from vision_api.model_registry.schemas import ModelVersionRead
from vision_api.model_registry.serializers import read_version
from vision_api.models import ModelPush, PushStatus

log = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0
MOST_TRIES = 5
RETRY_SECONDS = 10.0
LONGEST_SECONDS = 6 * 3600.0


@dataclass(frozen=True)
class ClaimedPush:
    """A push that this worker has claimed, as long as the row has the same number of tries."""

    push_id: int
    tries: int
    repository: str
    is_private: bool
    version: ModelVersionRead


class HubPusher(Worker):
    """Worker that claims the oldest waiting push, again and again."""

    name = "pushes"

    def __init__(self, database: Database, store: ObjectStore, settings: Settings) -> None:
        super().__init__()
        self._database = database
        self._store = store
        self._settings = settings
        self._folder = settings.data_dir / "pushing"

    async def process_next(self) -> bool:
        """Push one version, and return whether there was one. Without a token, pushes wait."""
        claim = await self._claim() if self._settings.hub_token is not None else None
        if claim is None:
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        renewing = asyncio.create_task(self._renew(claim))
        try:
            await self._apply(claim, await self._push(claim, folder))
        except asyncio.CancelledError:
            await asyncio.shield(self._put_back(claim, tries=claim.tries - 1, wait_seconds=None))
            raise
        finally:
            renewing.cancel()
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return True

    async def _claim(self) -> ClaimedPush | None:
        async with self._database.transaction() as session:
            push = await claims.claim_oldest(session, ModelPush, lease_seconds=LEASE_SECONDS)
            if push is None:
                return None
            version, project_id, project_name, name = await repository.get_version_with_names(session, push.version_id)
            read = read_version(version, project_id=project_id, project_name=project_name, name=name)
            return ClaimedPush(push.id, push.tries, push.repository, push.is_private, read)

    async def _push(self, claim: ClaimedPush, folder: Path) -> PushResult:
        try:
            files = await anyio.to_thread.run_sync(self._write_files, claim.version, folder)
        except ObjectNotFound:
            return PushResult(error_code="weights_missing", error_message="The weights are no longer in storage.")
        except (StorageError, OSError) as error:
            message = f"The weights could not be read: {error}"
            return PushResult(error_code="storage_unavailable", error_message=message, is_transient=True)
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

    async def _apply(self, claim: ClaimedPush, result: PushResult) -> None:
        """Store the result of a push, or schedule its retry."""
        if result.is_transient and claim.tries < MOST_TRIES:
            log.warning("push %d is retried: %s", claim.push_id, result.error_message)
            await self._put_back(claim, tries=claim.tries, wait_seconds=RETRY_SECONDS * 2**claim.tries)
            return
        async with self._database.transaction() as session:
            push = await claims.lock_claimed(session, ModelPush, claim.push_id, claim.tries)
            if push is None:
                return
            push.status = PushStatus.PUSHED if result.commit_url else PushStatus.FAILED
            push.commit_url = result.commit_url or None
            push.error_code, push.error_message = result.error_code or None, result.error_message or None
            push.lease_expires_at = None
            await session.flush()
            await repository.free_unused_repository(session, push.version_id)
            log.info("push %d to %s: %s %s", push.id, push.repository, push.status, push.error_code or "")

    async def _put_back(self, claim: ClaimedPush, *, tries: int, wait_seconds: float | None) -> None:
        """Release the claim; with `wait_seconds`, the push is claimed no earlier than that."""
        async with self._database.transaction() as session:
            push = await claims.lock_claimed(session, ModelPush, claim.push_id, claim.tries)
            if push is not None:
                push.tries = tries
                push.lease_expires_at = database_now(wait_seconds) if wait_seconds is not None else None

    async def _renew(self, claim: ClaimedPush) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with suppress(DatabaseUnavailable):
                async with self._database.transaction() as session:
                    await claims.renew(
                        session, ModelPush, claim.push_id, claim.tries,
                        lease_seconds=LEASE_SECONDS, updated_at=ModelPush.updated_at,
                    )  # fmt: skip


async def push_in_process(request: PushRequest, folder: Path) -> PushResult:
    """Push in a child process that ends with this call, and keeps its cache in `folder`."""
    forbid_in_session("a process")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", push_process.__name__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        start_new_session=True, env=os.environ | {"HF_HOME": str(folder / "client")},
    )  # fmt: skip
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            output, _ = await process.communicate(push_process.request_json.dump_json(request))
    except TimeoutError:
        message = f"The push took longer than {LONGEST_SECONDS / 3600:g} hours."
        return PushResult(error_code="hub_unavailable", error_message=message, is_transient=True)
    finally:
        if process.returncode is None:
            process.kill()
            await asyncio.shield(process.wait())
    if process.returncode != 0:
        message = f"The pushing process died (exit code {process.returncode})."
        return PushResult(error_code="push_died", error_message=message, is_transient=True)
    return push_process.result_json.validate_json(output)


@asynccontextmanager
async def running_pusher(
    database: Database, store: ObjectStore, settings: Settings, *, is_idle: bool = False
) -> AsyncGenerator[HubPusher]:
    """Run the pusher; with `is_idle`, only make it."""
    pusher = HubPusher(database, store, settings)
    if is_idle or settings.hub_token is None:
        yield pusher
        return
    await asyncio.to_thread(shutil.rmtree, settings.data_dir / "pushing", ignore_errors=True)
    if database.is_sqlite:
        async with database.transaction() as session:
            await claims.release_all(session, ModelPush, updated_at=ModelPush.updated_at)
    async with pusher.running():
        yield pusher
