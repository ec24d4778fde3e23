"""Errors at the start of a service are one line that its operator can act on."""

import socket
from pathlib import Path

import pytest

from trainer_kit.server.process import serve
from trainer_kit.testing.fake_adapter import ADAPTER_PATH


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer_kit.server.process.configure_logging", lambda _format: None)
    for name, value in {"HOST": "127.0.0.1", "PORT": "0", "SERVICE_TOKEN": "t", "DATA_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"SERVICE_TOKEN": ""}, "SERVICE_TOKEN is not set"),
        ({"SERVICE_TOKEN": "short", "ENVIRONMENT": "production"}, "32 characters"),
        ({"TRAINER_LAUNCHER": "ray"}, "TRAINER_LAUNCHER"),
        ({"STORAGE_URL": "ftp://somewhere"}, "storage URL"),
        ({"PORT": "port"}, "PORT"),
        ({"PORT": "{taken}"}, "in use"),
    ],
)
def test_a_setting_that_is_wrong_is_named(
    variables: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for name, value in variables.items():
            monkeypatch.setenv(name, value.format(taken=taken.getsockname()[1]))
        assert serve(ADAPTER_PATH) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert says in line


def test_a_service_without_a_catalogue_says_how_to_build_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("trainer_kit.testing.fake_adapter.FakeAdapter.catalog_file", tmp_path / "none.json")
    assert serve(ADAPTER_PATH) == 1
    assert "Build it with" in capsys.readouterr().err
