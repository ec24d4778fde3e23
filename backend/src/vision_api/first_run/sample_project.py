"""The sample project: one `pending` experiment for each framework, so that pressing start is all that is left.

The project is created together with the administrator. Its experiments need the frameworks' catalogues, which come
when the services answer; a file in the data directory keeps until then, also over a restart, that some are pending.
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
from vision_api.platform import Platform
from vision_api.training_jobs.schemas import TrainingJobCreate
from vision_api.training_jobs.workflows import create
from vision_contracts import ModelCard, TaskType

log = logging.getLogger(__name__)

NAME = "Sample project"
SAMPLE_OF_TASK = {TaskType.IMAGE_CLASSIFICATION: "digits", TaskType.OBJECT_DETECTION: "coins"}
RETRY_SECONDS = 1.0


class PendingSample(BaseModel):
    """The content of that file: the project without its experiments, and its owner."""

    project_id: int
    user_id: int


def save_pending(settings: Settings, pending: PendingSample) -> None:
    """Save that the experiments are still to be created."""
    path = _pending_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(pending.model_dump_json())


def _pending_path(settings: Settings) -> Path:
    return settings.data_dir / "sample-project.json"


@asynccontextmanager
async def running_sample_project(platform: Platform) -> AsyncGenerator[None]:
    """Create pending experiments: at once for services that answer, in a task for the others."""
    path = _pending_path(platform.settings)
    if not path.exists():
        yield
        return
    creator = _SampleCreator(platform, PendingSample.model_validate_json(path.read_bytes()))
    await asyncio.to_thread(copy_samples, platform.settings)
    await creator.create_possible()
    creating = asyncio.create_task(creator.run(), name="sample-project")
    try:
        yield
    finally:
        creating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await creating


class _SampleCreator:
    """Creates one experiment for each framework. One that was made before a restart is not made again."""

    def __init__(self, platform: Platform, pending: PendingSample) -> None:
        self._platform = platform
        self._pending = pending
        self._done: set[str] = set()

    async def run(self) -> None:
        """Create experiments until every framework has one."""
        while self._platform.registry.frameworks - self._done:
            await asyncio.sleep(RETRY_SECONDS)
            await self.create_possible()
        _pending_path(self._platform.settings).unlink(missing_ok=True)

    async def create_possible(self) -> None:
        """Create the experiments of frameworks that have a catalogue."""
        for framework in sorted(self._platform.catalog.index.frameworks - self._done):
            entries = self._platform.catalog.index.find(ModelFilter(framework=framework), ModelSort.PRIORITY)
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
        async with self._platform.database.snapshot() as session:
            user = await session.get(User, self._pending.user_id)
        if user is None:
            return
        request = TrainingJobCreate(
            project_id=self._pending.project_id,
            name=f"{card.display_name} on {sample}",
            notes="Press start, and watch it learn.",
            framework=card.framework,
            model_name=card.model_name,
            task_type=task_type,
            dataset_path=str(samples_folder(self._platform.settings) / sample),
        )
        made_once = Idempotency("first-run", card.framework)
        job = await create(
            self._platform.database,
            settings=self._platform.settings,
            catalog=self._platform.catalog,
            user=user,
            request=request,
            idempotency=made_once,
        )
        log.info("sample experiment %s of %s waits to be started", job.id, card.framework)


def choose_card(cards: Iterable[ModelCard]) -> tuple[ModelCard, TaskType] | None:
    """Return a well-known, small model for the sample task that the framework knows most models of.

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
    """Return the folder of the samples for training: a root of data sets in local mode."""
    return settings.data_dir / "samples"


def bundled_samples(settings: Settings) -> Path:
    """Return the folder of the samples that came with the platform."""
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
