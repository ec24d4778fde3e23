"""Forms of settings that the library has many of."""

from typing import Any

from trainer_kit.common_settings import setting


def share(default: float, title: str, description: str, *, unit: str = "share", **shown: Any) -> Any:
    """A setting from 0 to 1."""
    return setting(default, title, description, unit=unit, ge=0, le=1, **shown)


def weight(default: float, title: str, description: str) -> Any:
    """A weight of one part of the loss."""
    return setting(default, title, description, section="loss", unit="weight", ge=0, le=100)
