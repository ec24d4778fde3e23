"""Settings: what the environment says, and what must not start."""

from pathlib import Path

import pytest

from vision_api.config import ConfigurationError, Settings, load_settings

GOOD = "b7e1c0ffee9d27a35f8016b2c4d7e9a1"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment with nothing of ours in it but a data directory."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    return monkeypatch


def test_everything_has_a_default_in_development(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/platform.db"
    assert settings.storage_url == f"file://{tmp_path}/storage"
    assert settings.registration == "open"
    assert settings.cors_origins == ("http://localhost:3000", "http://127.0.0.1:3000")
    assert settings.admin_email == "admin@example.com"


def test_lists_are_split_by_commas_and_paths_by_the_platforms_separator(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CORS_ORIGINS", "https://a.example, https://b.example")
    environment.setenv("DATASET_ROOTS", "/data/one:/data/two")
    settings = load_settings()
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.dataset_roots[:2] == (Path("/data/one"), Path("/data/two"))


def test_any_service_url_registers_its_framework(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TIMM_SERVICE_URL", "http://a:1/, http://b:1")
    environment.setenv("MMDET_SERVICE_URL", "http://c:1")
    environment.setenv("RAILWAY_SERVICE_TIMM_URL", "x.railway.app")
    environment.setenv("RAILWAY_TIMM_SERVICE_URL", "x.railway.app")
    environment.setenv("EMPTY_SERVICE_URL", "")
    assert load_settings().service_urls == {"timm": ("http://a:1", "http://b:1"), "mmdet": ("http://c:1",)}


def test_production_is_closed_by_default(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ENVIRONMENT", "production")
    environment.setenv("JWT_SECRET", GOOD)
    settings = load_settings()
    assert settings.registration == "closed"
    assert settings.cors_origins == ()


@pytest.mark.parametrize("weak", ["", "brief", "change-me-change-me-change-me-change-me", "a" * 64])
def test_production_refuses_a_weak_secret_by_name(environment: pytest.MonkeyPatch, weak: str) -> None:
    environment.setenv("ENVIRONMENT", "production")
    environment.setenv("JWT_SECRET", weak)
    with pytest.raises(ConfigurationError, match="JWT_SECRET") as caught:
        load_settings()
    assert not weak or weak not in str(caught.value)


def test_production_needs_a_token_for_its_services(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ENVIRONMENT", "production")
    environment.setenv("JWT_SECRET", GOOD)
    environment.setenv("TRAINING_EXECUTION_MODE", "http")
    with pytest.raises(ConfigurationError, match="SERVICE_TOKEN must be set"):
        load_settings()


def test_every_wrong_variable_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PORT", "eighty")
    environment.setenv("TRAINING_EXECUTION_MODE", "cloud")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == ["PORT", "TRAINING_EXECUTION_MODE"]


def test_secrets_do_not_show_in_the_settings(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("JWT_SECRET", GOOD)
    environment.setenv("DATABASE_URL", f"postgresql://u:{GOOD}@h/d")
    assert GOOD not in repr(load_settings())


def test_a_redirect_needs_the_address_that_it_leads_to(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("RAILWAY_PUBLIC_DOMAIN", raising=False)
    environment.setenv("HTTPS_REDIRECT", "true")
    with pytest.raises(ConfigurationError, match="HTTPS_REDIRECT needs PUBLIC_URL"):
        load_settings()
    for wrong in ("http://api.example.com", "https://api.example.com/v1", "https://mina@api.example.com"):
        environment.setenv("PUBLIC_URL", wrong)
        with pytest.raises(ConfigurationError, match="PUBLIC_URL"):
            load_settings()
    environment.delenv("PUBLIC_URL")
    environment.setenv("RAILWAY_PUBLIC_DOMAIN", "backend.up.railway.app")
    assert load_settings().public_url == "https://backend.up.railway.app"
