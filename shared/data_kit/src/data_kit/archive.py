"""Zip archives: hostile ones are refused before a byte is written, and a failure leaves nothing behind."""

import errno
import lzma
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from data_kit.dataset import Dataset
from data_kit.findings import FindingCollector, is_clean
from data_kit.progress import OnProgress, counted
from data_kit.tree import Tree, is_ignored, join_inside

GIB = 1024**3
NESTED_SUFFIXES = frozenset({".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip", ".zst"})
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})
_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error, ValueError, OverflowError,
    NotImplementedError,
)  # fmt: skip
_UTF8_FLAG, _ENCRYPTED_FLAG = 0x800, 0x1
_RATIO_FREE_BYTES = 1024**2
_DIRECTORY_BYTES_PER_FILE = 1024
_MARKER_BYTES = 4
"""Some packers write a marker before the first file."""
_MAX_NAME_BYTES, _MAX_PART_BYTES, _MAX_FOLDERS = 1024, 255, 64
"""Limits that every file system allows, below a folder that has a long name itself."""
_LOCAL_HEADER_BYTES = 30
_LOCAL_LENGTHS_AT = 26
"""Offset in a local file header of two lengths: of the file's name, and of the extra field behind it."""


@dataclass(frozen=True)
class ArchiveLimits:
    """Upper bounds of what an archive may unpack to."""

    max_files: int = 1_000_000
    max_bytes: int = 500 * GIB
    max_ratio: float = 200.0
    """Unpacked size divided by packed size of one file; files of up to a MiB may have any ratio."""


def extract_archive(
    archive: Path, target: Path, limits: ArchiveLimits | None = None, on_progress: OnProgress | None = None
) -> None:
    """Unpack `archive` into the new or empty folder `target`.

    Raises DatasetError with everything that is wrong with the archive, and OSError if the disk is full. `target` is
    then as it was before. Hidden files and what operating systems leave behind are not unpacked.
    """
    is_new = not target.exists()
    target.mkdir(parents=True, exist_ok=True)
    try:
        _extract(archive, target, limits or ArchiveLimits(), on_progress)
    except BaseException:
        for child in target.iterdir():
            shutil.rmtree(child) if child.is_dir() else child.unlink()
        if is_new:
            target.rmdir()
        raise


def write_archive(dataset: Dataset, archive: Path, on_progress: OnProgress | None = None) -> None:
    """Pack a data set's files, sorted and not compressed: the same content gives the same bytes."""
    tree = Tree(dataset.root, FindingCollector())
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
        for name in counted(tree.names, on_progress):
            entry = zipfile.ZipInfo(name)
            entry.file_size = tree.path(name).stat().st_size
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            with tree.path(name).open("rb") as source, packed.open(entry, "w") as into:
                shutil.copyfileobj(source, into, 1024**2)


def stored_files(archive: Path) -> dict[str, tuple[int, int]]:
    """Return, by name, the position of each file in a `write_archive` archive: first byte and number of bytes."""
    places: dict[str, tuple[int, int]] = {}
    with archive.open("rb") as file, zipfile.ZipFile(file) as packed:
        for entry in packed.infolist():
            file.seek(entry.header_offset + _LOCAL_LENGTHS_AT)
            name_bytes, extra_bytes = struct.unpack("<HH", file.read(4))
            places[entry.filename] = (
                entry.header_offset + _LOCAL_LENGTHS_AT + 4 + name_bytes + extra_bytes,
                entry.file_size,
            )
    return places


def _extract(archive: Path, target: Path, limits: ArchiveLimits, on_progress: OnProgress | None) -> None:
    findings = FindingCollector()
    try:
        with archive.open("rb") as file:
            _check_directory(file, limits, findings)
            findings.raise_errors()
            with zipfile.ZipFile(file) as packed:
                entries = _checked_entries(packed, limits, findings)
                findings.raise_errors()
                done, total = 0, sum(entry.file_size for _, entry in entries)
                check_room(target, total)
                for name, entry in entries:
                    _unpack(packed, entry, target / name)
                    done += entry.file_size
                    if on_progress is not None:
                        on_progress(done, total)
    except _BROKEN as error:
        findings.error("archive_broken", "", f"The zip archive is broken: {error}.", "Pack it and upload it again.")
        findings.raise_errors()


def _check_directory(file: BinaryIO, limits: ArchiveLimits, findings: FindingCollector) -> None:
    """Check the size of the central directory, which is read as a whole, before it is read."""
    end = file.seek(0, 2)
    file.seek(max(0, end - 65_557 - 20))
    tail = file.read()
    record = tail.rfind(b"PK\x05\x06")
    if record < 0 or len(tail) < record + 22:
        raise zipfile.BadZipFile("it has no end, or is no zip archive")
    size, comment_bytes = struct.unpack_from("<I4xH", tail, record + 12)
    if len(tail) != record + 22 + comment_bytes:
        raise zipfile.BadZipFile("something else follows its end")
    if record >= 20 and tail[record - 20 : record - 16] == b"PK\x06\x07":
        file.seek(min(end, struct.unpack_from("<Q", tail, record - 12)[0]))
        wide = file.read(56)
        size = struct.unpack_from("<Q", wide, 40)[0] if len(wide) == 56 else size
    if size > limits.max_files * _DIRECTORY_BYTES_PER_FILE:
        _too_many(limits, findings)
    file.seek(0)


def _too_many(limits: ArchiveLimits, findings: FindingCollector) -> None:
    findings.error(
        "archive_too_many_files", "", f"The archive has more than {limits.max_files} files.",
        "Split the data set into several.",
    )  # fmt: skip


def _checked_entries(
    packed: zipfile.ZipFile, limits: ArchiveLimits, findings: FindingCollector
) -> list[tuple[str, zipfile.ZipInfo]]:
    entries = [(name, entry) for entry in packed.infolist() if (name := _checked_name(entry, limits, findings))]
    if len(entries) > limits.max_files:
        _too_many(limits, findings)
    _check_places(packed, findings)
    total = sum(entry.file_size for _, entry in entries)
    if total > limits.max_bytes:
        findings.error(
            "archive_too_large", "", f"The archive unpacks to {total} bytes; {limits.max_bytes} are allowed.",
            "Scale the images down, or split the data set into several.",
        )  # fmt: skip
    check_clashes([name for name, _ in entries], findings)
    if not entries and not findings.has_errors:
        findings.error("dataset_empty", "", "The archive holds no files.", "Put images and labels into it.")
    return entries


def _check_places(packed: zipfile.ZipFile, findings: FindingCollector) -> None:
    """Check that no two files share bytes of the archive: else a few bytes could be unpacked again and again."""
    found = sorted(packed.infolist(), key=lambda entry: entry.header_offset)
    if found and not 0 <= found[0].header_offset <= _MARKER_BYTES:
        raise zipfile.BadZipFile("something else stands before its first file")
    starts = [*(entry.header_offset for entry in found), packed.start_dir]
    for entry, end in zip(found, starts[1:], strict=True):
        if entry.header_offset + _LOCAL_HEADER_BYTES + entry.compress_size > end:
            shown, fix = _decoded_name(entry), "Pack it again."
            findings.error("archive_bomb", shown, "Files of the archive overlap, or reach over its end.", fix)


def _checked_name(entry: zipfile.ZipInfo, limits: ArchiveLimits, findings: FindingCollector) -> str | None:
    """Return the name to unpack the entry to; None if it is a folder, ignored or refused."""
    shown = _decoded_name(entry)
    name = join_inside("", shown) if is_clean(shown) else None
    if name is None:
        findings.error("path_leaves_root", shown, "This name leads out of the archive.", "Pack relative names only.")
        return None
    if _is_folder(entry, shown) or not name or any(map(is_ignored, name.split("/"))):
        return None
    problem = _problem(entry, name, limits)
    if problem is not None:
        findings.error(problem[0], name, *problem[1:])
        return None
    return name


def _is_folder(entry: zipfile.ZipInfo, shown: str) -> bool:
    """Return whether it is a folder, which some packers of Windows write as `train\\`."""
    return entry.is_dir() or (shown.endswith("\\") and not entry.file_size)


def _problem(entry: zipfile.ZipInfo, name: str, limits: ArchiveLimits) -> tuple[str, str, str] | None:
    if _is_too_long(name):
        return "name_too_long", "This name is too long, or lies in too many folders.", "Rename it, or move it up."
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "archive_link", "This is a link or a device, not a file.", "Pack the file itself."
    if entry.flag_bits & _ENCRYPTED_FLAG:
        return "archive_encrypted", "This file is encrypted.", "Pack without a password."
    if entry.compress_type not in _METHODS:
        return "archive_broken", "This file is compressed in an unknown way.", "Pack as an ordinary zip archive."
    if PurePosixPath(name).suffix.lower() in NESTED_SUFFIXES:
        return "archive_nested", "This is an archive inside the archive.", "Unpack it, and pack its files."
    if entry.file_size > max(_RATIO_FREE_BYTES, limits.max_ratio * entry.compress_size):
        return "archive_bomb", f"It unpacks to {entry.file_size} bytes from {entry.compress_size}.", "Remove the file."
    return None


def _is_too_long(name: str) -> bool:
    parts = [len(part.encode()) for part in name.split("/")]
    return max(parts) > _MAX_PART_BYTES or sum(parts) + len(parts) > _MAX_NAME_BYTES or len(parts) > _MAX_FOLDERS


def _decoded_name(entry: zipfile.ZipInfo) -> str:
    """Decode the entry's name: without the flag for UTF-8 it is often UTF-8 nevertheless, or of a Korean Windows."""
    name = entry.orig_filename
    if not entry.flag_bits & _UTF8_FLAG:
        raw = name.encode("cp437")
        for encoding in ("utf-8", "cp949"):
            try:
                name = raw.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    return unicodedata.normalize("NFC", name)


def check_clashes(names: list[str], findings: FindingCollector) -> None:
    """Report names that differ only in case, which are one file on some disks, and files that are folders too."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.get(name.casefold())
        if other is not None:
            message = f"`{other}` has the same name, or one that differs only in case."
            findings.error("archive_name_clash", name, message, "Rename one.")
        seen[name.casefold()] = name
    for name in names:
        for parent in _parents(name):
            if parent in seen:
                findings.error("archive_name_clash", name, f"`{seen[parent]}` is a file and a folder.", "Rename one.")


def _parents(name: str) -> Iterator[str]:
    folded = name.casefold()
    return (folded[:index] for index, character in enumerate(folded) if character == "/")


def check_room(target: Path, size: int) -> None:
    """Check that the disk of `target` has room for `size` bytes. Raises OSError(ENOSPC)."""
    if size > shutil.disk_usage(target).free:
        raise OSError(errno.ENOSPC, f"No space left to unpack {size} bytes", str(target))


def _unpack(packed: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with packed.open(entry) as source, path.open("xb") as into:
        shutil.copyfileobj(source, into, 1024**2)
    if path.stat().st_size != entry.file_size:
        raise zipfile.BadZipFile(f"{entry.filename} is cut off")
