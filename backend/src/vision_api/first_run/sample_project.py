"""The sample project: one `pending` experiment for each framework, so that pressing start is all that is left.

The project is created together with the administrator. Its experiments need the frameworks' catalogues, which come
when the services answer; a note in the data directory remembers until then, also over a restart, that some are owed.
"""

import asyncio
import contextlib
import logging
import os
import shutil
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import BaseModel

from vision_api.catalog.schemas import ModelFilter, ModelSort
from vision_api.config import Settings
from vision_api.errors import ApiError, DatabaseUnavailable
from vision_api.kit.idempotency import Idempotency
from vision_api.models import User
from vision_api.training_jobs.resolution.resolver import JobResolver
from vision_api.training_jobs.schemas import TrainingJobCreate
from vision_api.training_jobs.use_cases import create
from vision_api.training_services import InstanceRegistry
from vision_contracts import ModelCard, TaskType

log = logging.getLogger(__name__)

NAME = "Sample project"
SAMPLE_OF_TASK = {TaskType.IMAGE_CLASSIFICATION: "digits", TaskType.OBJECT_DETECTION: "coins"}
RETRY_SECONDS = 1.0


class PendingSample(BaseModel):
    """The note: which project is owed experiments."""

    project_id: int
    user_id: int


def note(settings: Settings, pending: PendingSample) -> None:
    """Remember that the experiments are still owed."""
    path = _note_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(pending.model_dump_json())


def _note_path(settings: Settings) -> Path:
    return settings.data_dir / "sample-project.json"


@asynccontextmanager
async def running_sample_project(resolver: JobResolver, registry: InstanceRegistry) -> AsyncGenerator[None]:
    """Owed experiments are made: at once for services that answer, meanwhile for the others."""
    path = _note_path(resolver.settings)
    if not path.exists():
        yield
        return
    filler = _Filler(resolver, registry, PendingSample.model_validate_json(path.read_bytes()))
    await asyncio.to_thread(copy_samples, resolver.settings)
    await filler.fill()
    filling = asyncio.create_task(filler.run(), name="sample-project")
    try:
        yield
    finally:
        filling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await filling


class _Filler:
    """Makes one experiment for each framework. One that was made before a restart is not made again."""

    def __init__(self, resolver: JobResolver, registry: InstanceRegistry, pending: PendingSample) -> None:
        self._resolver = resolver
        self._registry = registry
        self._unfilled = pending
        self._done: set[str] = set()

    async def run(self) -> None:
        """Until every framework has its experiment."""
        while self._registry.frameworks - self._done:
            await asyncio.sleep(RETRY_SECONDS)
            await self.fill()
        _note_path(self._resolver.settings).unlink(missing_ok=True)

    async def fill(self) -> None:
        """Make those that can be made now."""
        for framework in sorted(self._resolver.catalog.index.frameworks - self._done):
            entries = self._resolver.catalog.index.find(ModelFilter(framework=framework), ModelSort.PRIORITY)
            try:
                await self._add(choose_card(entry.card for entry in entries))
            except DatabaseUnavailable:
                continue
            except ApiError as error:
                log.warning("no sample experiment of %s: %s", framework, error)
            self._done.add(framework)

    async def _add(self, choice: tuple[ModelCard, TaskType] | None) -> None:
        if choice is None:
            return
        card, task_type = choice
        sample = SAMPLE_OF_TASK[task_type]
        async with self._resolver.database.snapshot() as session:
            user = await session.get(User, self._unfilled.user_id)
        if user is None:
            return
        request = TrainingJobCreate(
            project_id=self._unfilled.project_id,
            name=f"{card.display_name} on {sample}",
            notes="Press start, and watch it learn.",
            framework=card.framework,
            model_name=card.model_name,
            task_type=task_type,
            dataset_path=str(samples_folder(self._resolver.settings) / sample),
        )
        made_once = Idempotency("first-run", card.framework)
        job = await create(self._resolver, user=user, request=request, idempotency=made_once)
        log.info("sample experiment %s of %s waits to be started", job.id, card.framework)


def choose_card(cards: Iterable[ModelCard]) -> tuple[ModelCard, TaskType] | None:
    """A well-known, small model for the sample task that the framework knows most models of.

    A model that takes a high learning rate learns most from few images; a name with a slash is a checkpoint on a hub,
    which may be out of reach.
    """
    able = [(card, task) for card in cards for task in card.task_types if task in SAMPLE_OF_TASK]
    if not able:
        return None
    tasks = [task for _, task in able]
    main_task = max(SAMPLE_OF_TASK, key=tasks.count)
    fitting = [card for card, task in able if task == main_task]
    best = min(fitting, key=lambda card: ("/" in card.model_name, card.priority, -card.recommended_lr, card.params))
    return best, main_task


def samples_folder(settings: Settings) -> Path:
    """Where the samples are for training: a root of data sets in local mode."""
    return settings.data_dir / "samples"


def bundled_samples(settings: Settings) -> Path:
    """Where the samples came with the platform."""
    return settings.samples_dir or Path(__file__).resolve().parents[4] / "samples"


def copy_samples(settings: Settings) -> None:
    """Copy each sample that is not there yet; half a copy is never taken for a whole one."""
    target = samples_folder(settings)
    target.mkdir(parents=True, exist_ok=True)
    for name in SAMPLE_OF_TASK.values():
        source, copy, draft = bundled_samples(settings) / name, target / name, target / f".{name}.copying"
        if copy.exists() or not source.is_dir():
            continue
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(source, draft)
        os.replace(draft, copy)
