"""Forms with many files: their order, their names, and what is left on the disk."""

from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import Request
from starlette.types import Message, Receive, Scope, Send

from vision_api.errors import Invalid
from vision_api.kit.body_limit import BodyLimit
from vision_api.kit.multipart import FormRules, receive_form

Received = tuple[dict[str, str], list[tuple[str, bytes]]]

RULES = FormRules(expected="pages as `pages`", file_field="pages", max_files=2, takes_any_file_field=True, max_fields=1)
END = b"--xyz--\r\n"


def part(head: bytes, content: bytes) -> bytes:
    return b"--xyz\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + content + b"\r\n"


def file(name: bytes, content: bytes, *, field: bytes = b"pages") -> bytes:
    return part(b'name="' + field + b'"; filename="' + name + b'"', content)


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def receive(body: bytes, folder: Path, rules: FormRules = RULES) -> Received:
    """Return the fields, and the files with their names and bytes, as they are while the form is open."""
    answers: list[Received] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del send
        async with receive_form(Request(scope, receive), folder, rules) as form:
            answers.append((form.fields, [(each.name, each.path.read_bytes()) for each in form.files]))

    async def send_body() -> Message:
        return {"type": "http.request", "body": body}

    async def ignore(message: Message) -> None:
        del message

    headers = [(b"content-type", b"multipart/form-data; boundary=xyz")]
    limited = BodyLimit(app, body_bytes=100, upload_bytes=10_000_000, small_prefix="/auth/")
    await limited({"type": "http", "path": "/", "headers": headers}, send_body, ignore)
    return answers[0]


async def test_files_keep_their_order_and_names_and_are_deleted_afterwards(tmp_path: Path) -> None:
    large = bytes(range(256)) * 10_000
    body = file(b"b.png", large) + part(b'name="title"', b"two") + file("가.png".encode(), b"", field=b"other") + END

    fields, files = await receive(body, tmp_path / "new")

    assert fields == {"title": "two"}
    assert files == [("b.png", large), ("가.png", b"")]
    assert left_in(tmp_path / "new") == []


async def test_a_name_in_latin_1_is_read(tmp_path: Path) -> None:
    _, files = await receive(file("é.png".encode("latin-1"), b"x") + END, tmp_path)

    assert files == [("é.png", b"x")]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (file(b"1", b"x") * 3 + END, "pages"),
        (part(b'name="one"', b"x") + part(b'name="two"', b"x") + END, "two"),
        (file(b"1", b"x"), "pages"),
    ],
)
async def test_a_form_against_the_rules_is_refused_and_leaves_no_file(tmp_path: Path, body: bytes, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        await receive(body, tmp_path)

    assert [error.field for error in refused.value.errors] == [field]
    assert left_in(tmp_path) == []


async def test_a_file_in_another_field_is_refused_unless_the_rules_take_it(tmp_path: Path) -> None:
    body = file(b"1", b"x", field=b"other") + END

    with pytest.raises(Invalid):
        await receive(body, tmp_path, replace(RULES, takes_any_file_field=False))
    assert await receive(body, tmp_path) == ({}, [("1", b"x")])
