"""Data sets to upload, users who upload them, and processors for tests."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
from fastapi import FastAPI
from PIL import Image
from sqlalchemy import select

from data_kit import ArchiveLimits, SplitOptions
from vision_api.datasets.processing.prepare import PrepareResult, ReportProgress, prepare_archive
from vision_api.datasets.processing.prepare_process import Prepare
from vision_api.datasets.processing.processor import DatasetProcessor
from vision_api.db.session import Database
from vision_api.models import DatasetVersion, User
from vision_api.platform import platform_of

URL = "/api/v1/datasets"


def png(color: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (40, 20)) -> bytes:
    """Encode a picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    """Build a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def coins(count: int = 5, label: str = "0 0.5 0.5 0.5 0.5\n", **more: bytes) -> bytes:
    """Build an archive of a YOLO data set."""
    files = {"set/data.yaml": b"train: images\nnames: [coin]\n", **more}
    for index in range(count):
        files[f"set/images/{index}.png"] = png((index, 0, 0))
        files[f"set/labels/{index}.txt"] = label.encode()
    return zipped(files)


async def prepare_in_thread(
    archive: Path, folder: Path, limits: ArchiveLimits, report: ReportProgress, splits: SplitOptions | None = None
) -> PrepareResult:
    """Prepare an archive without the second that a process takes to start. `test_processor` has the real process."""
    return await anyio.to_thread.run_sync(prepare_archive, archive, folder, limits, report, splits)


def processor_with(app: FastAPI, tmp_path: Path, prepare: Prepare) -> DatasetProcessor:
    """Create a processor that prepares archives with `prepare`, in the folder `work`."""
    return DatasetProcessor(
        platform_of(app).database, platform_of(app).store, tmp_path / "work", ArchiveLimits(), prepare
    )


async def version_of(database: Database) -> DatasetVersion:
    """Return the one version in the database."""
    async with database.snapshot() as session:
        return (await session.execute(select(DatasetVersion))).scalar_one()


@dataclass(frozen=True)
class DatasetApi:
    """Routes of data sets, as a signed-in user calls them."""

    client: httpx.AsyncClient
    processor: DatasetProcessor
    user: User
    headers: dict[str, str]

    async def upload(self, content: bytes, *, key: str | None = None, **fields: Any) -> httpx.Response:
        """Upload a new data set."""
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        files = {"file": ("a.zip", content, "application/zip")}
        return await self.client.post(URL, files=files, data=fields or {"name": "coins"}, headers=headers)

    async def upload_version(self, dataset_id: int, content: bytes, **fields: Any) -> httpx.Response:
        """Upload a new version."""
        url = f"{URL}/{dataset_id}/versions"
        return await self.client.post(url, files={"file": ("b.zip", content)}, data=fields, headers=self.headers)

    async def get(self, path: str = "") -> httpx.Response:
        """Send GET to `/datasets` with `path` behind it."""
        return await self.client.get(URL + path, headers=self.headers)

    async def patch(self, dataset_id: int, **changes: Any) -> httpx.Response:
        """Change a data set."""
        return await self.client.patch(f"{URL}/{dataset_id}", json=changes, headers=self.headers)

    async def delete(self, dataset_id: int) -> httpx.Response:
        """Delete a data set."""
        return await self.client.delete(f"{URL}/{dataset_id}", headers=self.headers)

    async def process(self) -> None:
        """Process all waiting uploads."""
        while await self.processor.process_next():
            pass

    async def ready(self, content: bytes, **fields: Any) -> dict[str, Any]:
        """Upload a new data set and process it."""
        created = (await self.upload(content, **fields)).json()
        await self.process()
        dataset: dict[str, Any] = (await self.get(f"/{created['id']}")).json()
        return dataset
