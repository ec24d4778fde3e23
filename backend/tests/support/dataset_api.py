"""Data sets to upload, and whom to upload them as."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread
import httpx
from PIL import Image

from data_kit import ArchiveLimits, SplitOptions
from vision_api.datasets.processing.prepare import Prepared, Tell, prepare_archive
from vision_api.datasets.processing.processor import DatasetProcessor
from vision_api.models import User

URL = "/api/v1/datasets"


def png(color: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (40, 20)) -> bytes:
    """A picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def coins(count: int = 5, label: str = "0 0.5 0.5 0.5 0.5\n", **more: bytes) -> bytes:
    """An archive of a YOLO data set."""
    files = {"set/data.yaml": b"train: images\nnames: [coin]\n", **more}
    for index in range(count):
        files[f"set/images/{index}.png"] = png((index, 0, 0))
        files[f"set/labels/{index}.txt"] = label.encode()
    return zipped(files)


async def prepare_in_thread(
    archive: Path, folder: Path, limits: ArchiveLimits, tell: Tell, splits: SplitOptions | None = None
) -> Prepared:
    """As the real one, without the second that a process takes to start. `test_processing` has the real one."""
    return await anyio.to_thread.run_sync(prepare_archive, archive, folder, limits, tell, splits)


@dataclass(frozen=True)
class DatasetApi:
    """A signed-in user."""

    client: httpx.AsyncClient
    processor: DatasetProcessor
    user: User
    headers: dict[str, str]

    async def upload(self, content: bytes, *, key: str | None = None, **fields: Any) -> httpx.Response:
        """A new data set."""
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        files = {"file": ("a.zip", content, "application/zip")}
        return await self.client.post(URL, files=files, data=fields or {"name": "coins"}, headers=headers)

    async def upload_version(self, dataset_id: int, content: bytes, **fields: Any) -> httpx.Response:
        """A new version."""
        url = f"{URL}/{dataset_id}/versions"
        return await self.client.post(url, files={"file": ("b.zip", content)}, data=fields, headers=self.headers)

    async def get(self, path: str = "") -> httpx.Response:
        """`path` follows `/datasets`."""
        return await self.client.get(URL + path, headers=self.headers)

    async def patch(self, dataset_id: int, **changes: Any) -> httpx.Response:
        """Change it."""
        return await self.client.patch(f"{URL}/{dataset_id}", json=changes, headers=self.headers)

    async def delete(self, dataset_id: int) -> httpx.Response:
        """Delete it."""
        return await self.client.delete(f"{URL}/{dataset_id}", headers=self.headers)

    async def process(self) -> None:
        """All uploads that wait."""
        while await self.processor.process_next():
            pass

    async def ready(self, content: bytes, **fields: Any) -> dict[str, Any]:
        """A new data set once it is processed."""
        created = (await self.upload(content, **fields)).json()
        await self.process()
        dataset: dict[str, Any] = (await self.get(f"/{created['id']}")).json()
        return dataset
