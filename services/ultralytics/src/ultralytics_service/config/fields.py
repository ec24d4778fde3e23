"""Fields that a form can show."""

from typing import Any

from pydantic import Field


def setting(default: Any, title: str, description: str, section: str, *, unit: str | None = None, **limits: Any) -> Any:
    """A field that a form can show; those of the section `basic` to beginners too."""
    group = {"group": "basic"} if section == "basic" else {"group": "advanced", "section": section}
    extra: dict[str, Any] = group | ({"unit": unit} if unit else {})
    return Field(default, title=title, description=description, json_schema_extra=extra, **limits)


def share(default: float, title: str, description: str, section: str, *, unit: str = "share") -> Any:
    """A setting from 0 to 1."""
    return setting(default, title, description, section, unit=unit, ge=0, le=1)


def weight(default: float, title: str, description: str) -> Any:
    """A weight of one part of the loss."""
    return setting(default, title, description, "loss", unit="weight", ge=0, le=100)
