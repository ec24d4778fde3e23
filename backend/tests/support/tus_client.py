"""Requests of the tus protocol, as a signed-in user sends them."""

import base64
from typing import Any

import httpx

from support.dataset_api import DatasetApi

URL = "/api/v1/uploads"
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}


def metadata(**fields: Any) -> str:
    return ",".join(f"{name} {base64.b64encode(str(value).encode()).decode()}" for name, value in fields.items())


async def create(api: DatasetApi, length: object, header: str | None = None, **headers: str) -> httpx.Response:
    header = metadata(name="coins", filename="a.zip") if header is None else header
    asked = {"Upload-Length": str(length), "Upload-Metadata": header} | headers
    return await api.client.post(URL, headers=api.headers | TUS | asked)


async def begun(api: DatasetApi, content: bytes, **fields: Any) -> str:
    created = await create(api, len(content), metadata(**fields) if fields else None)
    assert created.status_code == 201, created.text
    assert created.headers["Tus-Resumable"] == "1.0.0"
    location: str = created.headers["Location"]
    return location


async def send(api: DatasetApi, url: str, offset: object, content: Any, **headers: str) -> httpx.Response:
    asked = {"Upload-Offset": str(offset)} | BYTES | headers
    return await api.client.patch(url, content=content, headers=api.headers | TUS | asked)


async def head(api: DatasetApi, url: str) -> httpx.Response:
    return await api.client.head(url, headers=api.headers | TUS)
