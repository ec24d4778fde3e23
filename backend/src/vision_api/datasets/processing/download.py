"""Download of what is to be processed onto the local disk, an archive or a folder. Blocks, with constant memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from data_kit import (
    ArchiveLimits,
    DatasetError,
    Finding,
    ObjectNotFound,
    ObjectStore,
    copy_folder,
    copy_objects,
    open_store,
)
from vision_api.background.progress import Progress
from vision_api.datasets.allowed_paths import is_file_uri, resolve_import_path
from vision_api.datasets.processing.prepare import FILES
from vision_api.datasets.use_cases import Origin
from vision_api.errors import Invalid
from vision_api.storage_layout import list_parts

ARCHIVE = "upload.zip"


@dataclass(frozen=True)
class SourceDownloader:
    """Downloader of uploads from storage, and of imports from the places that the settings allow."""

    store: ObjectStore
    limits: ArchiveLimits
    import_roots: tuple[Path, ...] = ()

    def download(self, origin: Origin, folder: Path, progress: Progress) -> Path:
        """Return the archive or folder, downloaded into `folder` unless it can be read where it is.

        Raises StorageError, OSError, DatasetError for an import that breaks the rules, Stopped.
        """
        progress.report("fetching", None)
        if origin.import_uri is not None:
            return self._import(origin.import_uri, folder, progress)
        uri = origin.upload_uri or ""
        if uri.endswith("/"):
            parts = list_parts(self.store, uri, origin.upload_bytes)
            chunks = chain.from_iterable(self.store.read(part.uri) for part in parts)
            return _write(chunks, origin.upload_bytes, folder, progress)
        return self._object(self.store, uri, folder, progress)

    def _object(self, store: ObjectStore, uri: str, folder: Path, progress: Progress) -> Path:
        local = store.local_path(uri)
        if local is None:
            return _write(store.read(uri), store.head(uri).size_bytes, folder, progress)
        if not local.exists():
            raise ObjectNotFound(f"There is no object {uri}.")
        return local

    def _import(self, uri: str, folder: Path, progress: Progress) -> Path:
        report = partial(progress.report_bytes, "fetching")
        if is_file_uri(uri):
            source = self._import_path(uri)
            if not source.is_dir():
                return source
            copy_folder(source, folder / FILES, self.limits, report)
            return folder / FILES
        parent, _, name = uri.rpartition("/")
        store, name = (open_store(uri), "") if parent.endswith("/") else (open_store(parent), name)
        if name and store.exists(uri):
            return self._object(store, uri, folder, progress)
        copy_objects(store, name, folder / FILES, self.limits, report)
        return folder / FILES

    def _import_path(self, uri: str) -> Path:
        """Check the path once more: what was a folder when the import was requested may be a link by now."""
        try:
            source = resolve_import_path(uri, self.import_roots)
        except Invalid as error:
            raise _not_importable(error.code, error.detail) from error
        if not source.exists():
            raise _not_importable("import_not_found", f"There is nothing at {uri}.")
        return source


def _not_importable(code: str, message: str) -> DatasetError:
    fix = "Import from a place that the server can read."
    return DatasetError([Finding(code=code, file="", message=message, fix=fix)])


def _write(chunks: Iterator[bytes], size_bytes: int, folder: Path, progress: Progress) -> Path:
    path, done = folder / ARCHIVE, 0
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
            done += len(chunk)
            progress.report_bytes("fetching", done, size_bytes)
    return path
