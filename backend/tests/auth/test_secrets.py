"""The secret that signs access tokens."""

from pathlib import Path

import pytest
from support.common import Clock

from vision_api.auth.throttle import PER_ADDRESS, WINDOW_SECONDS, LoginThrottle
from vision_api.auth.tokens import signing_secret
from vision_api.config import Settings
from vision_api.errors import RateLimited


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


def test_attempts_are_forgotten_after_the_window() -> None:
    clock = Clock()
    throttle = LoginThrottle(clock)
    for _ in range(10):
        throttle.attempt(email="a", address="1")
    with pytest.raises(RateLimited):
        throttle.attempt(email="a", address="1")
    throttle.attempt(email="a", address="2")
    clock.now += WINDOW_SECONDS
    throttle.attempt(email="a", address="1")


def test_one_address_cannot_try_one_password_on_every_account() -> None:
    throttle = LoginThrottle(Clock())
    for number in range(PER_ADDRESS):
        throttle.attempt(email=f"user{number}", address="1")
    with pytest.raises(RateLimited):
        throttle.attempt(email="next", address="1")


def test_right_passwords_do_not_count() -> None:
    throttle = LoginThrottle(Clock())
    for number in range(3 * PER_ADDRESS):
        throttle.attempt(email=f"user{number % 5}", address="1")
        throttle.succeeded(email=f"user{number % 5}", address="1")
