"""The catalogue of this process: last known model cards from the database, kept fresh from the services."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError

from vision_api.catalog import repository
from vision_api.catalog.index import CatalogIndex
from vision_api.catalog.verified_tokens import VerifiedTokens
from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.kit.response_cache import ResponseCache
from vision_api.training_services import Instance, InstanceRegistry, ServiceError
from vision_contracts import ModelList

logger = logging.getLogger(__name__)

RECHECK_SECONDS = 30.0
FIRST_CATALOGS_SECONDS = 10.0

Boot = tuple[UUID, UUID]


class Catalog:
    """The merged catalogues of all frameworks.

    A service reads its list from a file when it starts, so every boot of an instance is asked once; apart from that
    one instance of each framework is asked again every 30 s, by etag. Replicas of different versions do not flap.
    """

    def __init__(self, database: Database, registry: InstanceRegistry) -> None:
        self._database = database
        self._registry = registry
        self._lists: dict[str, ModelList] = {}
        self._etags: dict[str, str | None] = {}
        self._checked: dict[Boot, float] = {}
        self._sources: dict[str, Boot] = {}
        self._is_loaded = False
        self._wakeup = asyncio.Event()
        self._changed = asyncio.Condition()
        self.index = CatalogIndex()
        self.responses = ResponseCache()
        self.verified_tokens = VerifiedTokens()
        registry.on_change(self._wakeup.set)
        registry.on_change(self.responses.clear)

    @property
    def frameworks(self) -> frozenset[str]:
        """Return every framework that is configured or has a catalogue."""
        return self._registry.frameworks | self.index.frameworks

    @property
    def unavailable_frameworks(self) -> list[str]:
        """Return the frameworks whose services do not answer, in order."""
        answering = {instance.framework for instance in self._registry.instances}
        return sorted(self.frameworks - answering)

    async def load(self) -> None:
        """Load the last known catalogues of the services that are still configured.

        Raises DatabaseUnavailable.
        """
        async with self._database.snapshot() as session:
            snapshots = await repository.list_snapshots(session)
        for snapshot in snapshots:
            if snapshot.service not in self._registry.services or snapshot.framework in self._lists:
                continue
            try:
                self._lists[snapshot.framework] = ModelList.model_validate_json(snapshot.body)
            except ValidationError:
                logger.warning("cannot read the stored catalogue of %s any more", snapshot.framework)
                continue
            self._registry.remember(snapshot.service, snapshot.framework)
        await self._rebuild()
        self._is_loaded = True

    async def run(self) -> None:
        """Keep the catalogue fresh, until cancelled."""
        while True:
            self._wakeup.clear()
            if not self._is_loaded:
                with suppress(DatabaseUnavailable):
                    await self.load()
            await self.refresh()
            with suppress(TimeoutError):
                async with asyncio.timeout(RECHECK_SECONDS):
                    await self._wakeup.wait()

    async def refresh(self) -> None:
        """Fetch the catalogues that are due."""
        for instance in self._due(time.monotonic()):
            try:
                models, etag = await self._registry.client(instance).model_list(self._etags.get(instance.framework))
                if models is not None:
                    await self.put(models, service=instance.address.service, etag=etag)
            except ServiceError as error:
                logger.warning("cannot read the catalogue of %s: %s", instance.framework, error)
                continue
            self._checked[_boot(instance)] = time.monotonic()
            self._sources[instance.framework] = _boot(instance)

    async def put(self, models: ModelList, *, service: str | None = None, etag: str | None = None) -> None:
        """Replace the catalogue of a framework, in memory and in the database."""
        unknown = {card.hyperparameters_ref for card in models.models} - models.schemas.keys()
        if unknown:
            logger.error("refusing the catalogue of %s: it lacks the schemas %s", models.framework, sorted(unknown))
            return
        self._lists[models.framework] = models
        self._etags[models.framework] = etag
        await self._rebuild()
        logger.info("%s %s: %d models", models.framework, models.framework_version, len(models.models))
        try:
            async with self._database.transaction() as session:
                await repository.put_snapshot(session, models, service=service or models.framework, etag=etag or "")
        except (
            IntegrityError,
            DatabaseUnavailable,
        ) as error:  # another backend stored it, or the next restart lacks it
            logger.warning("the catalogue of %s is not stored: %s", models.framework, error)

    async def wait_for_first_catalogs(self, within_seconds: float = FIRST_CATALOGS_SECONDS) -> None:
        """Wait a while until every configured framework has a catalogue: a fresh database has none."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_seconds), self._changed:
                await self._changed.wait_for(lambda: self._registry.frameworks <= self.index.frameworks)

    def _due(self, now: float) -> list[Instance]:
        """Return instances to ask: new boots, and one of each framework whose last answer is old."""
        boots = {_boot(instance): instance for instance in self._registry.instances}
        self._checked = {boot: checked for boot, checked in self._checked.items() if boot in boots}
        due = [instance for boot, instance in boots.items() if boot not in self._checked]
        for framework in {instance.framework for instance in boots.values()} - {each.framework for each in due}:
            source = boots.get(self._sources[framework]) or self._registry.available(framework)[0]
            if now - self._checked[_boot(source)] >= RECHECK_SECONDS:
                due.append(source)
        return due

    async def _rebuild(self) -> None:
        self.index = await asyncio.to_thread(CatalogIndex, list(self._lists.values()))
        self.responses.clear()
        async with self._changed:
            self._changed.notify_all()


def _boot(instance: Instance) -> Boot:
    return instance.instance_id, instance.ready.boot_id


@asynccontextmanager
async def running_catalog(database: Database, registry: InstanceRegistry) -> AsyncGenerator[Catalog]:
    """Run a catalogue that is kept fresh."""
    catalog = Catalog(database, registry)
    with suppress(DatabaseUnavailable):  # `run` tries again
        await catalog.load()
    keeping = asyncio.create_task(catalog.run(), name="catalog")
    try:
        yield catalog
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
