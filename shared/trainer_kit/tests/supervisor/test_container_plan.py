"""A service that cannot use containers says so at its start, and what to change."""

import gc

import pytest
from pydantic import SecretStr

from trainer_kit.settings import ServiceSettings
from trainer_kit.supervisor import ContainersImpossible, make_plan


def _settings(**fields: object) -> ServiceSettings:
    return ServiceSettings.model_validate(
        {"service_token": SecretStr("t" * 32), "trainer_launcher": "container"} | fields
    )


def test_never_on_railway() -> None:
    with pytest.raises(ContainersImpossible, match="Railway"):
        make_plan(_settings(), {"RAILWAY_PROJECT_ID": "x"})


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_without_an_engine_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(ContainersImpossible, match="socket of a container engine"):
        make_plan(_settings(), {})
    gc.collect()  # docker's client does not close its socket where nothing answers
