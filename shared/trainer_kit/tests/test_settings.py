import os
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from trainer_kit.settings import RunnerSettings, ServiceSettings


def test_storage_is_below_the_data_directory_unless_it_is_elsewhere(tmp_path: Path) -> None:
    assert RunnerSettings(data_dir=tmp_path).storage_url == (tmp_path / "storage").as_uri()
    assert RunnerSettings(data_dir=tmp_path, storage_url="s3://b/p").storage_url == "s3://b/p"


def test_a_runner_gets_the_same_settings_by_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = RunnerSettings(
        data_dir=tmp_path, dataset_roots=(tmp_path, Path("/b")), dataset_cache_bytes=5, log_format="json"
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert RunnerSettings() == settings


def test_roots_are_split_as_the_platform_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATASET_ROOTS", os.pathsep.join(["/a", "", "/b"]))
    assert RunnerSettings().dataset_roots == (Path("/a"), Path("/b"))


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STORAGE_URL", "DATASET_ROOTS", "DATASET_CACHE_BYTES", "PORT", "HOST"):
        monkeypatch.setenv(name, "")
    settings = ServiceSettings(service_token=SecretStr("t"))
    assert (settings.host, settings.port, settings.dataset_roots) == ("", 8000, ())


def test_production_wants_a_long_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    with pytest.raises(ValidationError, match="SERVICE_TOKEN needs at least 32"):
        ServiceSettings(service_token=SecretStr("short"))
    ServiceSettings(service_token=SecretStr("x" * 32))


def test_the_token_is_not_shown() -> None:
    assert "hidden" not in repr(ServiceSettings(service_token=SecretStr("hidden")))
