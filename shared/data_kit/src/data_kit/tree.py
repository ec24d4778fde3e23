"""The files of a data set, listed once.

Readers look names up in this list and never open a path that a label file gave them: so nothing outside the root can
be reached, whatever a `data.yaml` or a COCO file says.
"""

import os
import posixpath
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from data_kit.findings import FindingCollector, is_clean
from data_kit.images import IMAGE_SUFFIXES

MAX_TEXT_BYTES = 16 * 1024**2
"""Default limit of a file that is read as a whole."""
_LINE_BYTES = 64
"""Allowance for what stands around a name in a list of files."""
IGNORED_NAMES = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})


def relative_name(root: Path, path: Path) -> str:
    """Return the path inside the data set, in NFC with `/`, as manifests and archives have it."""
    return unicodedata.normalize("NFC", path.relative_to(root).as_posix())


def is_ignored(name: str) -> bool:
    """Return whether it is hidden, or a file that operating systems leave behind."""
    return name.startswith(".") or name in IGNORED_NAMES


class Tree:
    """Listing of all files below `root`, by their relative names with `/`, in NFC."""

    def __init__(self, root: Path, findings: FindingCollector) -> None:
        self.root = root.resolve()
        self._findings = findings
        self._files: dict[str, str] = {}
        for name in self._scan(self.root, ""):
            self._add(name)
        self.names = sorted(self._files)

    def _add(self, stored: str) -> None:
        name = unicodedata.normalize("NFC", stored)
        if name in self._files:
            self._findings.error(
                "archive_name_clash",
                name,
                "Two files have this name, and differ only in how its letters are composed.",
                "Rename one.",
            )
        self._files[name] = stored

    def _scan(self, folder: Path, prefix: str) -> Iterator[str]:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = f"{prefix}{entry.name}"
                if is_ignored(entry.name) or not self._is_readable(entry, name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from self._scan(Path(entry.path), f"{name}/")
                elif entry.is_file():
                    yield name

    def _is_readable(self, entry: os.DirEntry[str], name: str) -> bool:
        if not is_clean(entry.name):
            text = name.encode("utf-8", "replace").decode()
            self._findings.error("name_unreadable", text, "The name is not UTF-8 text of one line.", "Rename the file.")
            return False
        if not entry.is_symlink():
            return True
        target = _target(entry)
        if target is not None and not target.is_relative_to(self.root):
            self._findings.error(
                "link_leaves_root",
                name,
                "This link leads out of the data set.",
                "Put the file itself in its place, or remove the link.",
            )
            return False
        if target is None or not target.is_file():
            what = "Links to folders are not followed" if target and target.is_dir() else "This link leads to no file"
            self._findings.warning("link_ignored", name, f"{what}.", "Put what is meant in its place, or remove it.")
            return False
        return True

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def path(self, name: str) -> Path:
        """Return the file's path. Raises KeyError for a name that is not listed."""
        return self.root / self._files[name]

    def name(self, path: Path) -> str:
        """Return the name of a listed file, as `path` takes it."""
        return relative_name(self.root, path)

    def below(self, folder: str) -> list[str]:
        """Return the names of all files in `folder` and its subfolders; `""` is the root."""
        # "0" is the character after "/".
        if not folder:
            return self.names
        return self.names[bisect_left(self.names, f"{folder}/") : bisect_left(self.names, f"{folder}0")]

    def images(self, folder: str) -> list[str]:
        """Return the names of all images in `folder` and its subfolders."""
        return [name for name in self.below(folder) if is_image(name)]

    def folders(self, parent: str = "") -> list[str]:
        """Return the names of the folders directly in `parent` that hold a file somewhere."""
        depth = len(parent) + 1 if parent else 0
        found = {name[: name.index("/", depth)] for name in self.below(parent) if "/" in name[depth:]}
        return sorted(found)

    def read_list(self, name: str) -> str | None:
        """Read a text file that may be long enough to name every file of the data set, with escaped characters."""
        return self.read_text(name, max(MAX_TEXT_BYTES, sum(2 * len(n.encode()) + _LINE_BYTES for n in self.names)))

    def read_text(self, name: str, max_bytes: int | None = None) -> str | None:
        """Read the file as UTF-8 text; None, and a finding, if it is something else, or longer."""
        max_bytes = MAX_TEXT_BYTES if max_bytes is None else max_bytes
        size = self.path(name).stat().st_size
        if size > max_bytes:
            message = f"The file has {size} bytes; {max_bytes} are allowed."
            self._findings.error("file_too_large", name, message, "Split it, or remove what is no label.")
            return None
        try:
            return self.path(name).read_text("utf-8-sig")
        except (UnicodeDecodeError, OSError) as error:
            self._findings.error("file_unreadable", name, f"Cannot be read as text: {error}.", "Save it as UTF-8 text.")
            return None


def _target(link: os.DirEntry[str]) -> Path | None:
    """Return the path that the link resolves to; None for a loop of links."""
    try:
        return Path(link.path).resolve()
    except (OSError, RuntimeError):
        return None


def is_image(name: str) -> bool:
    """Return whether its suffix is that of an image format."""
    return PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES


def join_inside(base: str, name: str) -> str | None:
    """Return `name`, relative to the folder `base`, as a name in the tree; None if it leaves the root."""
    name = unicodedata.normalize("NFC", name.strip().replace("\\", "/"))
    if posixpath.isabs(name) or name[1:2] == ":":
        return None
    joined = posixpath.normpath(posixpath.join(base, name))
    if joined == ".." or joined.startswith("../"):
        return None
    return "" if joined == "." else joined
