"""The catalogue of a process: fetched from services over HTTP, kept in a real database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from support.small_service import TOKEN, SmallService, make_card, make_list, serving

from vision_api.catalog.catalog import Catalog
from vision_api.catalog.queries import get_model
from vision_api.db.session import Database
from vision_api.errors import Invalid
from vision_api.training_services import InstanceRegistry
from vision_api.training_services.client import ConnectionPools
from vision_api.training_services.remote import RemoteServices


@asynccontextmanager
async def catalog_of(database: Database, *ports: int, service: str = "small") -> AsyncIterator[Catalog]:
    """A catalogue as a fresh process has it, whose service is reached at these ports."""
    source = RemoteServices({service: [f"http://127.0.0.1:{port}" for port in ports]}, TOKEN)
    registry = InstanceRegistry(source, ConnectionPools())
    catalog = Catalog(database, registry)
    await catalog.load()
    await registry.refresh()
    yield catalog
    await registry.close()


def fetches(service: SmallService) -> int:
    return sum(path == "/models/list" for _, path, _ in service.requests)


async def test_what_a_service_can_train_is_listed(database: Database) -> None:
    service = SmallService()
    async with serving(service) as port, catalog_of(database, port) as catalog:
        await catalog.refresh()

        assert len(catalog.index) == 2
        assert catalog.unavailable_frameworks == []


async def test_the_last_known_catalogue_serves_when_everything_is_down(database: Database) -> None:
    service = SmallService(models=make_list(make_card("tiny"), framework="toyvision"))
    async with serving(service) as port, catalog_of(database, port) as catalog:
        await catalog.refresh()

    async with catalog_of(database, port) as catalog:
        await catalog.refresh()

        assert get_model(catalog, "toyvision", "tiny").hyperparameters["additionalProperties"] is False
        assert catalog.unavailable_frameworks == ["toyvision"]


async def test_a_service_that_is_no_longer_configured_is_not_listed(database: Database) -> None:
    async with serving(SmallService()) as port, catalog_of(database, port) as catalog:
        await catalog.refresh()

    async with catalog_of(database, service="another") as catalog:
        assert len(catalog.index) == 0
        assert catalog.unavailable_frameworks == ["another"]


async def test_a_boot_is_asked_once(database: Database) -> None:
    service = SmallService()
    async with serving(service) as port, catalog_of(database, port) as catalog:
        await catalog.refresh()
        await catalog.refresh()

    assert fetches(service) == 1


async def test_a_restart_with_a_new_version_brings_the_new_list(database: Database) -> None:
    service = SmallService()
    async with serving(service) as port, catalog_of(database, port) as catalog:
        await catalog.refresh()
        service.models, service.boot_id = make_list(make_card("newer"), version="2.0"), uuid4()
        await catalog._registry.refresh()
        await catalog.refresh()
        assert get_model(catalog, "small", "newer")

    async with catalog_of(database, port) as catalog:
        assert get_model(catalog, "small", "newer")
        with pytest.raises(Invalid):
            get_model(catalog, "small", "tiny")


async def test_a_changed_list_is_noticed_without_a_restart(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    service = SmallService()
    async with serving(service) as port, catalog_of(database, port) as catalog:
        await catalog.refresh()
        monkeypatch.setattr("vision_api.catalog.catalog.RECHECK_SECONDS", 0.0)
        await catalog.refresh()
        assert service.requests[-1][2]["if-none-match"] == service.etag

        service.models = make_list(make_card("newer"), version="2.0")
        await catalog.refresh()

    assert get_model(catalog, "small", "newer")


async def test_replicas_of_two_versions_do_not_flap(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = SmallService(), SmallService(models=make_list(make_card("newer"), version="2.0"))
    async with serving(old) as old_port, catalog_of(database, old_port) as catalog:
        await catalog.refresh()
        async with serving(new) as new_port, catalog_of(database, old_port, new_port) as both:
            await both.refresh()
            first = both.index
            monkeypatch.setattr("vision_api.catalog.catalog.RECHECK_SECONDS", 0.0)
            await both.refresh()
            await both.refresh()

            assert both.index is first


async def test_a_list_without_its_schemas_is_refused(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    broken = make_list(make_card("tiny")).model_copy(update={"schemas": {}})
    async with serving(SmallService(models=broken)) as port, catalog_of(database, port) as catalog:
        await catalog.refresh()

        assert len(catalog.index) == 0
    assert "lacks the schemas ['plain']" in caplog.text


async def test_an_unknown_model_is_refused_with_names_that_look_alike(database: Database) -> None:
    async with serving(SmallService()) as port, catalog_of(database, port) as catalog:
        await catalog.refresh()

        with pytest.raises(Invalid, match="Did you mean tiny") as refused:
            get_model(catalog, "small", "tinny")
        assert refused.value.code == "model_unknown"
        with pytest.raises(Invalid, match="Known frameworks: small") as refused:
            get_model(catalog, "smal", "tiny")
        assert refused.value.code == "model_unknown"


async def test_a_fresh_database_waits_for_the_first_catalogue_and_no_longer(database: Database) -> None:
    async with serving(SmallService()) as port, catalog_of(database, port) as catalog:
        await catalog.wait_for_first_catalogs(within_seconds=0.05)
        assert len(catalog.index) == 0

        await catalog.refresh()
        await catalog.wait_for_first_catalogs(within_seconds=60)
        assert len(catalog.index) == 2
