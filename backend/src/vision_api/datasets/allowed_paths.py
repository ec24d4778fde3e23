"""Places that a user may train on or import from, and the checks against them."""

import posixpath
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vision_api.config import Settings
from vision_api.errors import Invalid

AMBIGUOUS_CHARACTERS = frozenset("%?#\\")
"""Characters that whoever opens a URI may interpret: `%2e%2e` is `..`."""


def check_dataset_path(settings: Settings, path: str) -> Path:
    """Return the folder that `path` names once links are resolved.

    Raises Invalid(dataset_path_not_allowed) for one outside the allowed roots, whether it exists or not.
    """
    return _resolve(path, settings.dataset_roots, "dataset_path")


def check_import_uri(settings: Settings, uri: str) -> str:
    """Return the URI itself, without a slash at its end.

    Raises Invalid(dataset_path_not_allowed) for a file outside `DATASET_ROOTS`, and for an object or a folder of
    objects outside `IMPORT_PREFIXES`.
    """
    if is_file_uri(uri):
        resolve_import_path(uri, settings.dataset_roots)
        return uri
    uri = uri.rstrip("/")
    name = uri.partition("://")[2]
    is_plain = uri.isprintable() and not AMBIGUOUS_CHARACTERS.intersection(uri) and name == posixpath.normpath(name)
    if not is_plain or not any(f"{uri}/".startswith(f"{prefix}/") for prefix in settings.import_prefixes):
        raise _not_allowed(uri, settings.import_prefixes, "IMPORT_PREFIXES", "uri")
    return uri


def is_file_uri(uri: str) -> bool:
    """Return whether the URI names a file or a folder of this machine."""
    return uri.startswith("file:")


def resolve_import_path(uri: str, roots: Iterable[Path]) -> Path:
    """Return the file or folder that `file:///…` names once links are resolved. Raises as `check_import_uri`."""
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
        raise _not_allowed(uri, roots, "DATASET_ROOTS", "uri")
    return _resolve(unquote(parts.path), roots, "uri")


def _resolve(path: str, roots: Iterable[Path], field: str) -> Path:
    try:
        unresolved = Path(path).expanduser() if path.startswith("~") else Path(path)
        resolved = unresolved.resolve(strict=False)
    except (OSError, ValueError, RuntimeError) as error:  # a loop of links, a NUL, no such home
        raise _not_allowed(path, roots, "DATASET_ROOTS", field) from error
    if not unresolved.is_absolute() or not any(resolved.is_relative_to(root.resolve()) for root in roots):
        raise _not_allowed(path, roots, "DATASET_ROOTS", field)
    return resolved


def _not_allowed(path: str, places: Iterable[object], setting: str, field: str) -> Invalid:
    allowed = ", ".join(map(str, places)) or "none"
    return Invalid(
        f"{path} is not below a place that data sets may lie in. Allowed: {allowed} ({setting}).",
        code="dataset_path_not_allowed",
        field=field,
    )
