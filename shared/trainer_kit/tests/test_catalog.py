import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from trainer_kit.catalog import CatalogError, build_command, load_catalog, write_catalog
from trainer_kit.hyperparameters import Hyperparameters
from trainer_kit.testing.fake_adapter import FakeHyperparameters
from trainer_kit.testing.fake_adapter import adapter as fake
from vision_contracts import ModelCard


@dataclass(frozen=True)
class Adapter:
    catalog_file: Path
    framework: str = "fake"
    distribution: str = "trainer-kit"
    trainer: str = "x:y"

    def hyperparameters(self, card: ModelCard) -> type[BaseModel]:
        return Hyperparameters


@pytest.fixture
def adapter(tmp_path: Path) -> Adapter:
    return Adapter(tmp_path / "generated" / "catalog.json")


CARDS = load_catalog(fake.catalog_file).models.models
SCHEMAS: dict[str, dict[str, Any]] = {"linear": {}}


class Builder:
    calls = 0

    def __call__(self) -> tuple[Iterable[ModelCard], dict[str, dict[str, Any]]]:
        self.calls += 1
        return reversed(CARDS), SCHEMAS


def test_a_catalogue_has_the_librarys_version_and_is_sorted(adapter: Adapter) -> None:
    write_catalog(adapter, cards=reversed(CARDS), schemas=SCHEMAS)
    models = load_catalog(adapter.catalog_file).models
    assert models.framework_version == version("trainer-kit")
    assert [card.priority for card in models.models] == [0, 1]
    assert models.model_count == len(CARDS)


def test_the_same_content_has_the_same_etag_and_other_content_another(adapter: Adapter) -> None:
    def etag(cards: list[ModelCard]) -> str:
        write_catalog(adapter, cards=cards, schemas=SCHEMAS)
        return load_catalog(adapter.catalog_file).etag

    assert etag(CARDS) == etag(CARDS[::-1])
    assert etag(CARDS) != etag(CARDS[:1])


def test_it_is_built_again_only_for_another_version_or_on_demand(adapter: Adapter) -> None:
    build = Builder()
    assert build_command(adapter, build, []) == 0
    assert build_command(adapter, build, []) == 0
    assert build.calls == 1
    assert build_command(adapter, build, ["--force"]) == 0
    assert build.calls == 2
    older = json.loads(adapter.catalog_file.read_text()) | {"framework_version": "0.0.1"}
    adapter.catalog_file.write_text(json.dumps(older))
    assert build_command(adapter, build, []) == 0
    assert build.calls == 3
    adapter.catalog_file.write_text("{ torn")
    assert build_command(adapter, build, []) == 0
    assert build.calls == 4


def test_a_catalogue_that_contradicts_itself_is_not_written(adapter: Adapter) -> None:
    with pytest.raises(ValueError, match="twice: hub/linear"):
        write_catalog(adapter, cards=[*CARDS, CARDS[1]], schemas=SCHEMAS)
    with pytest.raises(ValueError, match="linear"):
        write_catalog(adapter, cards=CARDS, schemas={})
    assert not adapter.catalog_file.exists()


def test_the_error_of_a_missing_catalogue_says_how_to_build_it(adapter: Adapter) -> None:
    with pytest.raises(CatalogError, match="Build it with"):
        load_catalog(adapter.catalog_file)


def test_the_fake_frameworks_catalogue_is_up_to_date_with_its_code() -> None:
    assert (
        load_catalog(fake.catalog_file).models.schemas["linear"]["properties"].keys()
        == FakeHyperparameters.model_fields.keys()
    )
