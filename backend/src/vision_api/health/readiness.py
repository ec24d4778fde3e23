"""What hinders this backend from working, in words for whoever runs it."""

import asyncio
import logging
import time
from typing import Literal

import anyio.to_thread

from data_kit import ObjectStore, StorageError
from vision_api.db.session import Database
from vision_api.kit.schemas import ReadModel
from vision_api.migrate import current_revision, known_revisions, newest_revision
from vision_api.training_services import InstanceRegistry

logger = logging.getLogger(__name__)

PROBE = "readiness-probe"
"""Nobody writes it: whether it is there does not matter, only that the storage answers."""
PROBE_EVERY_SECONDS = 10.0
PROBE_WITHIN_SECONDS = 2.0


class Degradation(ReadModel):
    """Something that is not as it should be, and what follows from it."""

    part: Literal["schema", "storage", "service"]
    name: str
    message: str


class StorageProbe:
    """Asks the storage whether it is there, not more often than every ten seconds, and never twice at a time."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._asked_at = 0.0
        self._asking: asyncio.Task[bool] | None = None

    async def answers(self) -> bool:
        """Whether it has answered lately."""
        now = time.monotonic()
        if self._asking is None or (self._asking.done() and now - self._asked_at >= PROBE_EVERY_SECONDS):
            self._asked_at, self._asking = now, asyncio.create_task(self._ask())
        await asyncio.wait({self._asking}, timeout=PROBE_WITHIN_SECONDS)
        return self._asking.done() and self._asking.result()

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

    async def _ask(self) -> bool:
        try:
            await anyio.to_thread.run_sync(self._store.exists, self._store.uri(PROBE), abandon_on_cancel=True)
        except StorageError as error:
            logger.warning("storage is not ready: %s", error)
            return False
        return True


async def find_degradations(database: Database, registry: InstanceRegistry, probe: StorageProbe) -> list[Degradation]:
    """Everything that degrades the platform. Raises DatabaseUnavailable: without a database nothing works."""
    async with database.snapshot() as session:
        revision = await (await session.connection()).run_sync(current_revision)
    troubles: list[Degradation] = []
    if revision != (wanted := newest_revision()):
        is_older = revision is None or revision in known_revisions()
        remedy = "Run: python -m vision_api.migrate" if is_older else "It works on; upgrade it too."
        message = f"The schema is at revision {revision or 'none'}, this backend brings {wanted}. {remedy}"
        troubles.append(Degradation(part="schema", name="database", message=message))
    if not await probe.answers():
        text = "The object storage does not answer as it should: uploads, downloads and checkpoints wait. See the log."
        troubles.append(Degradation(part="storage", name="storage", message=text))
    for framework in sorted(registry.unavailable_frameworks()):
        text = f"No instance of the {framework} service answers. Its experiments wait in the queue."
        troubles.append(Degradation(part="service", name=framework, message=text))
    return troubles
