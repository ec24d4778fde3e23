"""An application whose catalogue holds a few models, and somebody who reads it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from support.small_service import make_card, make_list

from vision_api.platform import platform_of
from vision_contracts import TaskType


@pytest.fixture
async def reader(app: FastAPI, client: httpx.AsyncClient, make_user, auth_headers) -> AsyncIterator[httpx.AsyncClient]:  # type: ignore[no-untyped-def]
    """A client that has signed in."""
    await platform_of(app).catalog.put(
        make_list(
            make_card("resnet18", priority=0, params=11),
            make_card("yolo11n", priority=0, params=2, task_types=[TaskType.OBJECT_DETECTION]),
            make_card("google/vit", priority=2, params=86),
        )
    )
    client.headers.update(await auth_headers(await make_user()))
    return client
