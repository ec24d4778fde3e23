"""What a framework gives to become a training service. Everything else is the kit's."""

from pathlib import Path
from typing import Protocol

from pydantic import BaseModel

from vision_contracts import ModelCard


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
        """
        ...

    def hyperparameters(self, card: ModelCard) -> type[BaseModel]:
        """The model of this card's `hyperparameters`: frozen, `extra="forbid"`, a default for every field."""
        ...
