"""What a framework gives to become a training service. Everything else is the kit's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel

from vision_contracts import JobKind, ModelCard


class Adapter(Protocol):
    """One framework, described without importing it: the HTTP process must never load a machine-learning library."""

    @property
    def framework(self) -> str:
        """Name on the wire, such as `timm`."""
        ...

    @property
    def distribution(self) -> str:
        """The installed distribution whose version is the framework's version."""
        ...

    @property
    def catalog_file(self) -> Path:
        """The generated catalogue, a `ModelList` as JSON; `catalog_builder` makes it."""
        ...

    @property
    def trainer(self) -> str:
        """`module:function` of `train(run: TrainingRun) -> None`, imported in the trainer process alone.

        It returns after `run.finish(…)`, or raises: `Stopped` once it has seen `run.stop_requested()` and saved what
        it could, `TrainingError` for an error that a user can act on, anything else for a defect.

        A job for several devices calls it in as many processes (`trainer.world`): each joins `run.world` and trains on
        its share, and where `run.world.is_main` it validates, saves and reports. A framework whose schemas have a
        `max_devices` of 1 never meets one.
        """
        ...

    @property
    def operations(self) -> Mapping[JobKind, str]:
        """Entry points of the further kinds of job, `module:function` of `work(run: OperationRun) -> None`,
        which ends as `trainer` does. A kind that is missing is refused with `kind_not_supported`; a dry run
        (`preflight`) needs nothing but `trainer`.
        """
        ...

    def hyperparameters(self, card: ModelCard) -> type[BaseModel]:
        """The model of this card's `hyperparameters`: frozen, `extra="forbid"`, a default for every field."""
        ...


def entry_point(adapter: Adapter, kind: JobKind) -> str | None:
    """`module:function` of what does work of this kind; None where the framework has nothing for it."""
    return adapter.trainer if kind in (JobKind.TRAIN, JobKind.PREFLIGHT) else adapter.operations.get(kind)


def entry_points(adapter: Adapter) -> tuple[str, ...]:
    """All of them, each once."""
    return tuple(dict.fromkeys([adapter.trainer, *adapter.operations.values()]))
