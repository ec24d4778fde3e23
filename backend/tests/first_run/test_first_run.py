"""A fresh database: somebody can sign in, and something is there to be started."""

import re

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import select
from support.common import problem_of
from support.small_service import make_card, make_list
from support.waiting import until

from vision_api.auth.passwords import verify_password
from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.first_run.administrator import bootstrap
from vision_api.first_run.sample_project import choose_card, copy_samples, running_sample_project
from vision_api.main import create_app
from vision_api.models import Project, TrainingJob, User
from vision_api.platform import platform_of
from vision_contracts import TaskType

LOGIN = "/api/v1/auth/login"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Local mode, with two frameworks of which none answers."""
    urls = {"small": ("http://127.0.0.1:9",), "tiny": ("http://127.0.0.1:9",)}
    return Settings.model_validate(settings.model_dump() | {"service_urls": urls, "services_dir": settings.data_dir})


@pytest.fixture
def local(settings: Settings) -> Settings:
    """A folder of services, as in local mode."""
    for name in ("small", "tiny"):
        (settings.data_dir / name).mkdir()
        (settings.data_dir / name / "pyproject.toml").touch()
    return Settings.model_validate(
        settings.model_dump() | {"training_execution_mode": "subprocess", "dataset_roots": ""}
    )


async def _users(database: Database) -> list[User]:
    async with database.snapshot() as session:
        return list(await session.scalars(select(User)))


async def test_generated_password_is_printed_once_and_must_be_changed(
    database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await bootstrap(database, settings)
    printed = capsys.readouterr().out
    password = re.search(r"Password: +(\S+)", printed)
    assert password is not None
    assert "admin@example.com" in printed
    (admin,) = await _users(database)
    assert (admin.email, admin.role, admin.must_change_password) == ("admin@example.com", "admin", True)
    assert await verify_password(password[1], admin.password_hash)
    await bootstrap(database, settings)
    assert len(await _users(database)) == 1
    assert capsys.readouterr().out == ""


async def test_given_password_is_used_and_not_printed(
    database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"admin_email": "Boss@Example.com", "admin_password": SecretStr("chosen by me")}
    await bootstrap(database, Settings.model_validate(settings.model_dump() | given))
    (admin,) = await _users(database)
    assert (admin.email, admin.must_change_password) == ("boss@example.com", False)
    assert await verify_password("chosen by me", admin.password_hash)
    assert capsys.readouterr().out == ""


async def test_generated_password_opens_nothing_but_its_own_change(
    app: FastAPI, client: httpx.AsyncClient, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await bootstrap(platform_of(app).database, settings)
    password = re.findall(r"Password: +(\S+)", capsys.readouterr().out)[0]
    login = await client.post(LOGIN, json={"email": "admin@example.com", "password": password})
    assert login.json()["user"]["must_change_password"] is True
    headers = {"Authorization": f"Bearer {login.json()['access_token']}"}
    problem_of(await client.get("/api/v1/projects", headers=headers), 403, "password_change_required")


async def test_deployed_platform_gets_no_sample_project(database: Database, settings: Settings) -> None:
    await bootstrap(database, settings)
    async with database.snapshot() as session:
        assert (await session.scalars(select(Project))).all() == []


async def _jobs(app: FastAPI) -> list[tuple[str, str, str, str]]:
    async with platform_of(app).database.snapshot() as session:
        jobs = await session.scalars(select(TrainingJob).order_by(TrainingJob.framework))
        return [(job.framework, job.model_name, job.task_type, job.status) for job in jobs]


async def test_sample_experiments_come_with_the_catalogues_and_only_once(local: Settings) -> None:
    note = local.data_dir / "sample-project.json"
    small = make_list(make_card("resnet"), make_card("detector", task_types=[TaskType.POSE_ESTIMATION]))
    tiny = make_list(make_card("yolo", task_types=[TaskType.OBJECT_DETECTION]), framework="tiny")
    of_small = ("small", "resnet", "image_classification", "pending")
    app = create_app(local, background=False)
    async with app.router.lifespan_context(app):
        await bootstrap(platform_of(app).database, local)
        await platform_of(app).catalog.put(small)
        async with running_sample_project(platform_of(app)):
            assert await _jobs(app) == [of_small]
        assert note.exists()  # stopped before the other framework had answered

        async with running_sample_project(platform_of(app)):
            await platform_of(app).catalog.put(tiny)
            await until(lambda: not note.exists())
        assert await _jobs(app) == [of_small, ("tiny", "yolo", "object_detection", "pending")]

        async with running_sample_project(platform_of(app)):
            assert len(await _jobs(app)) == 2


def test_copied_samples_are_whole_and_are_not_touched_again(local: Settings) -> None:
    copy_samples(local)
    samples = local.data_dir / "samples"
    assert sorted(path.name for path in samples.iterdir()) == ["coins", "digits"]
    assert len(list(samples.glob("digits/**/*.png"))) == 500
    assert samples in local.dataset_roots
    (samples / "coins" / "data.yaml").unlink()
    copy_samples(local)
    assert not (samples / "coins" / "data.yaml").exists()


def test_chosen_model_is_known_small_and_needs_no_hub() -> None:
    cards = [
        make_card("large", priority=0, params=9),
        make_card("hub/checkpoint", priority=0, params=1),
        make_card("slow learner", priority=0, params=1, recommended_lr=1e-4),
        make_card("small", priority=0, params=2),
        make_card("unknown", priority=2, params=1),
        make_card("detector", task_types=[TaskType.OBJECT_DETECTION], priority=0, params=1),
    ]
    choice = choose_card(cards)
    assert choice is not None
    assert (choice[0].model_name, choice[1]) == ("small", TaskType.IMAGE_CLASSIFICATION)
    assert choose_card([make_card("pose", task_types=[TaskType.POSE_ESTIMATION])]) is None
