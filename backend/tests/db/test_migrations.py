"""The schema that migrations build is the one that the models describe."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from support.common import PASSWORD_HASH, refused_address
from support.job_rows import job_fields

from vision_api.config import Settings
from vision_api.db.base import Base
from vision_api.db.engine import make_engine
from vision_api.db.session import Database
from vision_api.kit.clock import utc_now
from vision_api.migrate import (
    MIGRATIONS,
    MigrationError,
    current_revision,
    migrate,
    newest_revision,
    require_schema,
    upgrade,
)
from vision_api.models import Project, TrainingJob, User


@pytest.fixture(params=["sqlite", "postgresql"])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of a database without a single table."""
    url = request.getfixturevalue("bare_postgresql_database") if request.param == "postgresql" else ""
    return Settings(database_url=url, data_dir=tmp_path, service_urls={})


async def _ask(settings: Settings, question: Callable[[Connection], Any]) -> Any:
    engine = make_engine(settings)
    async with engine.begin() as connection:
        answer = await connection.run_sync(question)
    await engine.dispose()
    return answer


def _differences(connection: Connection) -> list[Any]:
    return compare_metadata(MigrationContext.configure(connection), Base.metadata)


async def test_migrated_schema_is_that_of_the_models(bare: Settings) -> None:
    await upgrade(bare)
    assert await _ask(bare, _differences) == []
    assert await _ask(bare, current_revision) == newest_revision()


async def test_two_processes_that_migrate_at_once_do_it_once(bare: Settings) -> None:
    await asyncio.gather(*(upgrade(bare) for _ in range(6)))
    assert await _ask(bare, current_revision) == newest_revision()


async def test_database_of_a_newer_version_is_left_alone(bare: Settings) -> None:
    await upgrade(bare)
    await _ask(bare, lambda connection: connection.execute(text("UPDATE alembic_version SET version_num = 'later'")))
    with pytest.raises(MigrationError, match="another version"):
        await upgrade(bare)


async def test_database_without_a_migration_is_reported_with_the_remedy(bare: Settings) -> None:
    with pytest.raises(MigrationError, match=r"python -m vision_api\.migrate"):
        await require_schema(bare)
    await upgrade(bare)
    await require_schema(bare)


def test_database_that_does_not_answer_is_one_clear_line(tmp_path: Path) -> None:
    settings = Settings(
        database_url=f"postgres://u:p@{refused_address()}/x",
        database_wait_seconds=0,
        data_dir=tmp_path,
        service_urls={},
    )
    with pytest.raises(MigrationError, match="the database does not answer"):
        migrate(settings)


async def test_experiments_of_before_are_counted_and_compared_only_with_those_of_their_seed(bare: Settings) -> None:
    await upgrade(bare)
    await _add_two_projects(bare)
    await _ask(bare, _back_to_before_the_counts)
    await upgrade(bare)
    assert await _values(bare, "SELECT experiment_count FROM projects ORDER BY id") == [2, 0]
    assert await _values(bare, "SELECT DISTINCT validation_split FROM training_jobs") == ["val-seed-7"]


async def _values(settings: Settings, query: str) -> list[Any]:
    return await _ask(settings, lambda connection: list(connection.execute(text(query)).scalars()))


async def _add_two_projects(settings: Settings) -> None:
    """One with two experiments and a deleted one, and an empty one."""
    database = Database(make_engine(settings))
    async with database.transaction() as session:
        projects = [Project(name="full"), Project(name="empty")]
        user = User(email="a@example.com", password_hash=PASSWORD_HASH)
        session.add_all([user, *projects])
        await session.flush()
        for deleted_at in (None, None, utc_now()):
            fields = job_fields(project_id=projects[0].id, created_by_id=user.id, deleted_at=deleted_at)
            fields |= {"dataset_digest": "d" * 64, "seed": 7}
            session.add(TrainingJob(**fields))
    await database.close()


def _back_to_before_the_counts(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.downgrade(config, "0002")
