"""Routes of data sets for signed-in users. Uploads are processed when a test does so."""

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from support.common import AuthHeaders, MakeUser
from support.dataset_api import DatasetApi, prepare_in_thread

from data_kit import ArchiveLimits
from vision_api.datasets.processing.processor import DatasetProcessor
from vision_api.db.session import Database
from vision_api.platform import platform_of


@pytest.fixture
def database(app: FastAPI) -> Database:
    """Return the database of the app."""
    return platform_of(app).database


@pytest.fixture
def processor(app: FastAPI, tmp_path: Path) -> DatasetProcessor:
    state = platform_of(app)
    folder = tmp_path / "processing"
    return DatasetProcessor(state.database, state.store, folder, ArchiveLimits(), prepare_in_thread)


@pytest.fixture
async def api(
    processor: DatasetProcessor, client: httpx.AsyncClient, make_user: MakeUser, auth_headers: AuthHeaders
) -> DatasetApi:
    user = await make_user()
    return DatasetApi(client, processor, user, await auth_headers(user))


@pytest.fixture
async def stranger(
    processor: DatasetProcessor, client: httpx.AsyncClient, make_user: MakeUser, auth_headers: AuthHeaders
) -> DatasetApi:
    user = await make_user()
    return DatasetApi(client, processor, user, await auth_headers(user))
