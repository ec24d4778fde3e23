"""The catalogue file of a framework's models: built with the framework loaded, served without it."""

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from trainer_kit.adapter import Adapter
from trainer_kit.files import write_atomically
from vision_contracts import ModelCard, ModelList


class CatalogError(Exception):
    """The catalogue file is absent or broken. The message says how to build it."""


@dataclass(frozen=True)
class Catalog:
    """A loaded catalogue, prepared for the HTTP routes."""

    models: ModelList
    body: bytes
    """JSON of `models`, as the wire has it."""
    etag: str
    """Quoted value of the header `ETag`, a hash of `body`."""
    cards: Mapping[str, ModelCard]
    """Cards by their model names."""


def load_catalog(path: Path) -> Catalog:
    """Read a catalogue file. Raises CatalogError if it is absent or broken."""
    try:
        models = ModelList.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise CatalogError(f"There is no catalogue at {path}. Build it with `python -m <service>.catalog`.") from None
    except ValueError as error:
        raise CatalogError(f"The catalogue at {path} is broken ({error}). Build it again with --force.") from error
    body = models.model_dump_json().encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return Catalog(models, body, etag, {card.model_name: card for card in models.models})


def write_catalog(
    adapter: Adapter,
    *,
    cards: Iterable[ModelCard],
    schemas: Mapping[str, dict[str, Any]],
) -> ModelList:
    """Write the catalogue atomically, with the version of the installed framework, and return it.

    Cards are sorted by priority and name; `schemas` are the JSON Schemas of hyper-parameters by `hyperparameters_ref`.
    Raises ValueError for a duplicate name and for a card whose schema is missing.
    """
    models = sorted(cards, key=lambda card: (card.priority, card.model_name))
    names = [card.model_name for card in models]
    if doubles := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"Names that are in the catalogue twice: {', '.join(doubles[:5])}.")
    if unknown := sorted({card.hyperparameters_ref for card in models} - set(schemas)):
        raise ValueError(f"Cards refer to schemas that are not given: {', '.join(unknown)}.")
    catalog = ModelList(
        framework=adapter.framework,
        framework_version=version(adapter.distribution),
        model_count=len(models),
        models=models,
        schemas=dict(schemas),
    )
    write_atomically(adapter.catalog_file, _one_card_a_line(catalog).encode())
    return catalog


def _one_card_a_line(catalog: ModelList) -> str:
    """JSON with one line for each card, for readable diffs."""
    head = catalog.model_dump_json(exclude={"models"}).removesuffix("}")
    cards = ",\n".join(card.model_dump_json(exclude_none=True) for card in catalog.models)
    return f'{head},"models":[\n{cards}\n]}}\n'


def build_command(
    adapter: Adapter,
    build: Callable[[], tuple[Iterable[ModelCard], Mapping[str, dict[str, Any]]]],
    arguments: list[str] | None = None,
) -> int:
    """Run `python -m <service>.catalog [--force]`: call `build` for cards and schemas, and write the catalogue, unless
    it is up to date. Return the exit code.
    """
    parser = argparse.ArgumentParser(description=f"Builds the catalogue of {adapter.framework}.")
    parser.add_argument("--force", action="store_true", help="build it even if the library's version is the same")
    options = parser.parse_args(arguments)
    if not options.force and is_up_to_date(adapter):
        sys.stderr.write(f"{adapter.framework}: the catalogue is up to date.\n")
        return 0
    sys.stderr.write(f"{adapter.framework}: building the catalogue of {version(adapter.distribution)} …\n")
    cards, schemas = build()
    catalog = write_catalog(adapter, cards=cards, schemas=schemas)
    sys.stderr.write(f"{adapter.framework}: {catalog.model_count} models in {adapter.catalog_file}.\n")
    return 0


def is_up_to_date(adapter: Adapter) -> bool:
    """Return whether the file was built with the installed version of the framework."""
    try:
        catalog = load_catalog(adapter.catalog_file)
    except CatalogError:
        return False
    return catalog.models.framework_version == version(adapter.distribution)
