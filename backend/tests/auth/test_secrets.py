"""The secret that signs access tokens."""

from pathlib import Path

from vision_api.auth.tokens import signing_secret
from vision_api.config import Settings


def _settings(data_dir: Path, **fields: str) -> Settings:
    return Settings.model_validate({"data_dir": data_dir, "service_urls": {}} | fields)


def test_development_secret_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    first = signing_secret(_settings(tmp_path))
    assert len(first) == 64
    assert signing_secret(_settings(tmp_path)) == first
    assert (tmp_path / "jwt_secret").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["jwt_secret"]


def test_given_secret_is_used_and_not_written_down(tmp_path: Path) -> None:
    assert signing_secret(_settings(tmp_path, jwt_secret="given")) == "given"
    assert list(tmp_path.iterdir()) == []
