"""The interface that a framework implements to become a training service. The kit does everything else."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from pydantic import BaseModel

from vision_contracts import JobKind, ModelCard


class Adapter(Protocol):
    """Description of one framework. Importing it, and reading its members, must not import the framework: the HTTP
    process never loads a machine-learning library.
    """

    @property
    def framework(self) -> str:
        """Name on the wire: `JobSpec.framework` and `ModelCard.framework`. Lower case, such as `resnets`."""
        ...

    @property
    def distribution(self) -> str:
        """Name of the installed distribution whose version is the framework's version."""
        ...

    @property
    def variables(self) -> tuple[str, ...]:
        """Environment variables that the library reads beside `<FRAMEWORK>_*` and those that every library has: names,
        or prefixes with `*`. The same list stands in the service's `pyproject.toml`, for the backend of `make run`.
        """
        ...

    @property
    def catalog_file(self) -> Path:
        """Path of the generated catalogue, a `ModelList` as JSON, which `trainer_kit.catalog.build_command` writes."""
        ...

    @property
    def trainer(self) -> str:
        """Entry point of trainings and dry runs, as `module:function` of `train(run: TrainingRun) -> None`. The kit
        imports it in trainer processes and in the process that they are forked from, never in the HTTP process.

        It returns after `run.finish()`, or raises: `Stopped` after `run.stop_requested()` was true and it has saved a
        checkpoint, `TrainingError` for an error that the user can fix, any other exception for a defect. An attempt
        that returns without `run.finish()` fails with the reason `internal`.

        A job with `num_devices` above 1 calls it in as many processes (`trainer.world`): each joins `run.world` and
        trains on its share of the images, and the one with `run.world.is_main` validates, saves and reports. Where the
        schemas have a `max_devices` of 1, `num_devices` is always 1.
        """
        ...

    @property
    def operations(self) -> Mapping[JobKind, str]:
        """Entry points of the operations on a checkpoint (`predict`, `export`, `evaluate`), by kind of job, as
        `module:function` of `operation(run: OperationRun) -> None`. It returns after `run.report_finished(…)`, and
        raises as `trainer` does.

        A job of a kind that is missing is refused with `kind_not_supported`. `preflight` uses `trainer`.
        """
        ...

    def hyperparameters(self, card: ModelCard) -> type[BaseModel]:
        """Return the pydantic model of `JobSpec.hyperparameters` for this card: frozen, with `extra="forbid"` and a
        default for every field. See `trainer_kit.hyperparameters.Hyperparameters`.
        """
        ...


def operations_of(module: str) -> Mapping[JobKind, str]:
    """Return the entry points of a module that defines `predict`, `export` and `evaluate`."""
    kinds = (JobKind.PREDICT, JobKind.EXPORT, JobKind.EVALUATE)
    return MappingProxyType({kind: f"{module}:{kind}" for kind in kinds})


def entry_point(adapter: Adapter, kind: JobKind) -> str | None:
    """Return `module:function` for jobs of this kind; None where the framework does not support it."""
    return adapter.trainer if kind in (JobKind.TRAIN, JobKind.PREFLIGHT) else adapter.operations.get(kind)


def entry_points(adapter: Adapter) -> tuple[str, ...]:
    """Return the distinct entry points of the adapter, the trainer's first."""
    return tuple(dict.fromkeys([adapter.trainer, *adapter.operations.values()]))
