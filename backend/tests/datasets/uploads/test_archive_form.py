"""Forms, as clients send them and as they should not."""

import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.common import fields_of, problem_of
from support.dataset_api import URL, DatasetApi

from vision_api.config import Settings

BOUNDARY = b"xyz"
FORM = {"Content-Type": "multipart/form-data; boundary=xyz"}


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> str:
    """One database is enough: nothing here depends on it."""
    path = tmp_path / "platform.db"
    path.write_bytes(sqlite_template.read_bytes())
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_upload_bytes": 100 * 1024**2})


def part(head: str, content: bytes) -> bytes:
    return b"--xyz\r\nContent-Disposition: form-data; " + head.encode() + b"\r\n\r\n" + content + b"\r\n"


FILE, NAME, END = part('name="file"; filename="a.zip"', b"zip"), part('name="name"', b"coins"), b"--xyz--\r\n"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (FILE + END, ["name"]),
        (NAME + END, ["file"]),
        (FILE + NAME + part('name="other"', b"x") + END, ["other"]),
        (FILE + NAME + part('name="project_id"', b"x") + END, ["project_id"]),
        (FILE + NAME + part('name="name"', b"twice") + END, ["name"]),
        (FILE + FILE + NAME + END, ["file"]),
        (part('name="picture"; filename="a.zip"', b"") + NAME + END, ["picture"]),
        (FILE + part('name="name"', b"x" * 70_000) + END, ["name"]),
        (FILE + part('name="name"', b"  ") + END, ["name"]),
        (FILE + NAME, ["file"]),
        (FILE[:-10], ["file"]),
        (b"nonsense", ["file"]),
        (b"", ["file"]),
    ],
)
async def test_a_wrong_form_is_refused_by_field(
    api: DatasetApi, tmp_path: Path, body: bytes, fields: list[str]
) -> None:
    response = await api.client.post(URL, content=body, headers=api.headers | FORM)

    assert fields_of(problem_of(response, 422, "validation_failed")) == fields
    assert not list((tmp_path / "uploads").iterdir())
    assert not list((tmp_path / "storage").rglob("*.zip"))


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", "application/zip"])
async def test_what_is_no_form_is_refused(api: DatasetApi, content_type: str) -> None:
    response = await api.client.post(URL, content=b"{}", headers=api.headers | {"Content-Type": content_type})

    assert fields_of(problem_of(response, 422, "validation_failed")) == ["file"]


@pytest.mark.parametrize("body", [FILE + NAME + END, NAME + FILE + END])
async def test_fields_come_in_any_order_and_in_pieces(api: DatasetApi, tmp_path: Path, body: bytes) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for index in range(len(body)):
            yield body[index : index + 1]

    response = await api.client.post(URL, content=pieces(), headers=api.headers | FORM)

    assert response.json()["name"] == "coins"
    (stored,) = (tmp_path / "storage" / "uploads").iterdir()
    assert stored.read_bytes() == b"zip"


async def test_a_large_file_needs_no_more_memory_than_a_small_one(api: DatasetApi) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield NAME + b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
        for _ in range(95):
            yield bytes(1024**2)
        yield b"\r\n" + END

    tracemalloc.start()
    response = await api.client.post(URL, content=body(), headers=api.headers | FORM)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert response.json()["size_bytes"] == 95 * 1024**2
    assert peak < 70 * 1024**2


async def test_a_file_over_the_limit_is_too_large_however_it_is_sent(api: DatasetApi, tmp_path: Path) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield FILE[:-5]
        for _ in range(101):
            yield bytes(1024**2)

    problem_of(await api.client.post(URL, content=body(), headers=api.headers | FORM), 413, "too_large")
    announced = api.headers | FORM | {"Content-Length": str(200 * 1024**2)}
    problem_of(await api.client.post(URL, content=b"", headers=announced), 413, "too_large")
    assert not list((tmp_path / "uploads").iterdir())
