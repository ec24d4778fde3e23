"""Import of data sets from a folder or an object store, under the same rules as archives."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from data_kit.archive import NESTED_SUFFIXES, ArchiveLimits, OnProgress, check_clashes, check_room
from data_kit.findings import FindingCollector
from data_kit.storage import ObjectStore
from data_kit.tree import Tree, is_clean, is_ignored, join_inside

CHUNK_BYTES = 1024**2


def copy_folder(source: Path, target: Path, limits: ArchiveLimits, on_progress: OnProgress) -> None:
    """Copy the files of `source` into the new folder `target`; links become what they point at.

    Raises DatasetError with everything that is wrong, such as a link that leads out, and OSError if the disk is full.
    """
    findings = FindingCollector()
    tree = Tree(source, findings)
    files = ((name, tree.path(name).stat().st_size) for name in tree.names)
    _copy(files, lambda name: _chunks(tree.path(name)), target, limits, findings, on_progress)


def copy_objects(store: ObjectStore, prefix: str, target: Path, limits: ArchiveLimits, on_progress: OnProgress) -> None:
    """Copy the objects below `prefix` (`""`: all of them), as `copy_folder` copies files. Raises StorageError too."""
    start = store.url if not prefix else store.uri(prefix)
    found = ((item.uri.removeprefix(f"{start}/"), item.size_bytes) for item in store.list(prefix))
    _copy(found, lambda name: store.read(f"{start}/{name}"), target, limits, FindingCollector(), on_progress)


def _copy(
    found: Iterable[tuple[str, int]],
    read: Callable[[str], Iterator[bytes]],
    target: Path,
    limits: ArchiveLimits,
    findings: FindingCollector,
    on_progress: OnProgress,
) -> None:
    files = _checked(found, limits, findings)
    findings.raise_errors()
    target.mkdir(parents=True)
    done, total = 0, sum(files.values())
    check_room(target, total)
    for name in files:
        path = target / (join_inside("", name) or name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as into:
            for chunk in read(name):
                into.write(chunk)
                done += len(chunk)
                on_progress(done, total)


def _checked(found: Iterable[tuple[str, int]], limits: ArchiveLimits, findings: FindingCollector) -> dict[str, int]:
    """Return the sizes, by name, of the files to copy."""
    files: dict[str, int] = {}
    for name, size in found:
        if any(map(is_ignored, name.split("/"))):
            continue
        if not is_clean(name) or join_inside("", name) is None:
            findings.error("name_unreadable", name, "The name is no relative path of one line.", "Rename the file.")
            continue
        if PurePosixPath(name).suffix.lower() in NESTED_SUFFIXES:
            findings.error("archive_nested", name, "This is an archive among the files.", "Unpack it, and remove it.")
        files[name] = size
        if len(files) > limits.max_files:
            text = f"There are more than {limits.max_files} files."
            findings.error("archive_too_many_files", "", text, "Split the data set into several.")
            return files
    folders = {str(parent) for name in files for parent in PurePosixPath(name).parents}
    # A bucket may have empty objects that stand for folders.
    files = {name: size for name, size in files.items() if size or name not in folders}
    check_clashes(list(files), findings)
    _check_total(files, limits, findings)
    return files


def _check_total(files: dict[str, int], limits: ArchiveLimits, findings: FindingCollector) -> None:
    total = sum(files.values())
    if total > limits.max_bytes:
        text = f"The files have {total} bytes; {limits.max_bytes} are allowed."
        findings.error("archive_too_large", "", text, "Scale the images down, or split the data set into several.")
    if not files and not findings.has_errors:
        findings.error("dataset_empty", "", "There are no files.", "Name a folder that holds images and labels.")


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
