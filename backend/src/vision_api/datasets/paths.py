"""Folders of the server that a user may train on in place."""

from pathlib import Path

from vision_api.config import Settings
from vision_api.errors import Invalid


def check_dataset_path(settings: Settings, path: str) -> Path:
    """The folder that `path` names once links are resolved.

    Raises Invalid(dataset_path_not_allowed) for one outside the allowed roots, whether it exists or not.
    """
    roots = [root.resolve() for root in settings.dataset_roots]
    try:
        given = Path(path).expanduser() if path.startswith("~") else Path(path)
        resolved = given.resolve(strict=False)
    except (OSError, ValueError, RuntimeError) as error:  # a loop of links, a NUL, no such home
        raise _not_allowed(path, settings) from error
    if not given.is_absolute() or not any(resolved.is_relative_to(root) for root in roots):
        raise _not_allowed(path, settings)
    return resolved


def _not_allowed(path: str, settings: Settings) -> Invalid:
    allowed = ", ".join(str(root) for root in settings.dataset_roots)
    return Invalid(
        f"{path} is not below a folder that data sets may lie in. Allowed: {allowed} (DATASET_ROOTS).",
        code="dataset_path_not_allowed",
        field="dataset_path",
    )
