"""Fixtures of the tests from outside: a running platform and its users."""

import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from client import Client
from compose.stack import ComposeStack
from platform_under_test import ADMIN_EMAIL, ADMIN_PASSWORD, ROOT, DeployedPlatform, LocalPlatform

Platform = LocalPlatform | DeployedPlatform | ComposeStack
IN_PROCESSES = {"local": LocalPlatform, "deployed": DeployedPlatform}
ENVIRONMENTS = {"containers": ComposeStack} if os.environ.get("IN_CONTAINERS") else IN_PROCESSES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the variants of a test that its `thorough_as` names as thorough."""
    for item in items:
        variants = {name for mark in item.iter_markers("thorough_as") for name in mark.args}
        if variants and isinstance(item, pytest.Function) and item.callspec.id in variants:
            item.add_marker(pytest.mark.thorough)


@pytest.fixture(scope="session", params=ENVIRONMENTS)
def platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The platform with all three services; once for each environment, or in containers (`make test-compose`)."""
    running = ENVIRONMENTS[request.param](tmp_path_factory.mktemp(request.param))
    shutil.copytree(ROOT / "samples" / "digits", running.datasets / "digits")
    shutil.copytree(ROOT / "samples" / "coins", running.datasets / "coins")
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(autouse=True)
def _no_connection_is_left() -> Iterator[None]:
    yield
    Client.close_all()


@pytest.fixture
def admin(platform: Platform) -> Client:
    return Client.sign_in(platform.url, ADMIN_EMAIL, ADMIN_PASSWORD)


@pytest.fixture
def new_user(platform: Platform) -> Client:
    """A new user without projects."""
    return Client.register(platform.url, f"{secrets.token_hex(6)}@example.com")


@pytest.fixture(scope="module")
def access_token(platform: Platform) -> str:
    """The token of a user for all tests of a module: each password that is hashed or checked costs 0.2 s of CPU."""
    return Client.register(platform.url, f"{secrets.token_hex(6)}@example.com").token


@pytest.fixture
def user(platform: Platform, access_token: str) -> Client:
    """A user who has what earlier tests of the module left."""
    return Client(platform.url, access_token)


@pytest.fixture
def project(user: Client) -> dict[str, Any]:
    return user.post("/projects", {"name": "A project"})


@pytest.fixture
def digits(platform: Platform) -> Path:
    return platform.datasets / "digits"


@pytest.fixture
def coins(platform: Platform) -> Path:
    return platform.datasets / "coins"


def problem_of(answer: Any) -> tuple[int, str]:
    """Return status and code of an error, which must be problem+json."""
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
    body = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert body["status"] == answer.status_code
    return answer.status_code, body["code"]
