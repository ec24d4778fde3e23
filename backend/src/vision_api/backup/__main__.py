"""`python -m vision_api.backup create FILE` and `… restore FILE`; `-` is standard output or input."""

import argparse
import asyncio
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from sqlalchemy import select

from data_kit import ObjectStore, StorageError, open_store
from vision_api.backup import archive, postgresql, sqlite
from vision_api.backup.archive import BackupError, Manifest
from vision_api.backup.post_restore import reset_runtime_state
from vision_api.config import ConfigurationError, Settings, load_settings
from vision_api.db.engine import make_engine
from vision_api.db.session import Database
from vision_api.errors import DatabaseUnavailable
from vision_api.kit.clock import utc_now
from vision_api.migrate import current_revision, upgrade
from vision_api.models import Artifact, DatasetVersion, ModelVersion
from vision_api.process.data_dir import own_data_dir
from vision_api.process.errors import StartError


def main(arguments: Sequence[str] | None = None) -> None:
    """Create or restore a backup. Exits with 1 and one line on an error."""
    parser = argparse.ArgumentParser(prog="vision_api.backup", description="Back up and restore all data.")
    parser.add_argument("action", choices=("create", "restore"))
    parser.add_argument("file", help="a tar file; - for standard output or input")
    parser.add_argument("--replace", action="store_true", help="restore over a database that has accounts already")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings()
        if options.action == "create":
            create(settings, options.file)
        else:
            with own_data_dir(settings):
                restore(settings, options.file, replace=options.replace)
    except (BackupError, ConfigurationError, DatabaseUnavailable, StartError, StorageError, tarfile.TarError) as error:
        sys.exit(f"vision-api cannot {options.action} the backup: {error or error.__cause__}")


def create(settings: Settings, file: str) -> None:
    """Back up the database first, then the storage: files are immutable, so those that rows name still exist.

    A backup on disk gets its name once it is complete.
    """
    partial = Path(f"{file}.partial")
    with tempfile.TemporaryDirectory(dir=_work_dir(settings)) as folder:
        manifest, uris = asyncio.run(_dump(settings, Path(folder)))
        with sys.stdout.buffer if file == "-" else partial.open("wb") as target:
            missing = _write(settings, target, manifest, Path(folder), uris)
    if file != "-":
        partial.replace(file)
    if missing:
        _log(f"{len(missing)} files that rows name were not in storage, such as {min(missing)}")


def restore(settings: Settings, file: str, *, replace: bool = False) -> None:
    """Restore the storage first, then the database, in one step. A kill before that step leaves the old database."""
    with (
        tempfile.TemporaryDirectory(dir=_work_dir(settings)) as folder,
        sys.stdin.buffer if file == "-" else Path(file).open("rb") as source,
        tarfile.open(fileobj=source, mode="r|*") as tar,
    ):
        manifest = archive.read_manifest(tar)
        asyncio.run(_check(settings, manifest, replace=replace))
        complete = archive.read_rest(tar, Path(folder), open_store(settings.storage_url))
        count = asyncio.run(_load(settings, manifest, Path(folder)))
    _log(f"restored {complete.objects} files and the database of {manifest.created_at:%Y-%m-%d %H:%M} UTC; "
         f"{count} experiments continue from their last checkpoint; all users must sign in again")  # fmt: skip


async def _dump(settings: Settings, folder: Path) -> tuple[Manifest, set[str]]:
    engine = make_engine(settings)
    database = Database(engine)
    try:
        async with database.snapshot() as session:
            revision = await (await session.connection()).run_sync(current_revision)
        if revision is None:
            raise BackupError("the database has no tables")
        sequences: dict[str, int] = {}
        if settings.is_sqlite:
            sqlite.dump(settings, folder)
        else:
            async with engine.connect() as connection:
                sequences = await postgresql.dump(connection, folder)
        async with database.snapshot() as session:
            uris = set(await session.scalars(select(Artifact.uri)))
            archives = select(DatasetVersion.archive_uri).where(DatasetVersion.archive_uri.is_not(None))
            uris |= {uri for uri in await session.scalars(archives) if uri is not None}
            uris |= set(await session.scalars(select(ModelVersion.uri)))
    finally:
        await database.close()
    manifest = Manifest(
        created_at=utc_now(), database="sqlite" if settings.is_sqlite else "postgresql",
        revision=revision, storage_url=settings.storage_url, sequences=sequences,
    )  # fmt: skip
    return manifest, uris


def _write(settings: Settings, target: IO[bytes], manifest: Manifest, folder: Path, uris: set[str]) -> set[str]:
    store: ObjectStore = open_store(settings.storage_url)
    with tarfile.open(fileobj=target, mode="w|") as tar:
        archive.write_text(tar, archive.MANIFEST, manifest)
        archive.write_folder(tar, folder)
        complete, written = archive.write_objects(tar, store)
        archive.write_text(tar, archive.COMPLETE, complete)
    _log(f"backed up {complete.objects} files of {complete.total_bytes / 1e6:.1f} MB and the database")
    return uris - written


async def _check(settings: Settings, manifest: Manifest, *, replace: bool) -> None:
    kind = "sqlite" if settings.is_sqlite else "postgresql"
    if manifest.database != kind:
        raise BackupError(f"it is of a {manifest.database} database, and DATABASE_URL names a {kind} one")
    if manifest.storage_url != settings.storage_url:
        raise BackupError(f"its rows name files below {manifest.storage_url}: set STORAGE_URL to that")
    if settings.is_sqlite:
        is_empty = sqlite.is_empty(settings)
    else:
        engine = make_engine(settings)
        try:
            async with engine.connect() as connection:
                await postgresql.require_alone(connection)
                is_empty = await postgresql.is_empty(connection)
        finally:
            await engine.dispose()
    if not is_empty and not replace:
        raise BackupError("the database is in use already. --replace restores over it, and what is in it is gone")


async def _load(settings: Settings, manifest: Manifest, folder: Path) -> int:
    """Load the database, and return the number of jobs that were active."""
    if settings.is_sqlite:
        sqlite.load(settings, folder)
    else:
        await _load_postgresql(settings, manifest, folder)
    await upgrade(settings)
    database = Database(make_engine(settings))
    try:
        async with database.transaction() as session:
            return await reset_runtime_state(session)
    finally:
        await database.close()


async def _load_postgresql(settings: Settings, manifest: Manifest, folder: Path) -> None:
    engine = make_engine(settings)
    try:
        async with engine.connect() as connection:
            await postgresql.clear(connection)
        await upgrade(settings, to=manifest.revision)
        async with engine.connect() as connection:
            await postgresql.load(connection, folder, manifest.sequences)
    finally:
        await engine.dispose()


def _work_dir(settings: Settings) -> Path:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return settings.data_dir


def _log(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
