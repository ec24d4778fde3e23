"""Conditional requests: which values of `If-None-Match` name the content that the server has."""

import pytest
from fastapi import Request, Response

from vision_api.kit.conditional import is_known, respond_unless_modified


def asking(*values: str) -> Request:
    headers = [(b"if-none-match", value.encode("latin-1")) for value in values]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    "values",
    [
        ['"a1"'],
        ['W/"a1"'],
        ['"other", "a1"'],
        ['"other",W/"a1" , "last"'],
        ['"with, comma", "a1"'],
        ['"other"', '"a1"'],
        ["*"],
        [" * "],
    ],
)
@pytest.mark.parametrize("etag", ['"a1"', 'W/"a1"'])
def test_a_tag_is_known_in_lists_weak_or_strong_and_as_a_star(values: list[str], etag: str) -> None:
    assert is_known(asking(*values), etag)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        ["a1"],
        ['"a11"'],
        ['"xa1"'],
        ['"x, "a1'],
        ['"A1"'],
        ['w/"a1x"'],
        ['"*"'],
    ],
)
def test_other_tags_are_not_known_even_if_one_is_a_part_of_another(values: list[str]) -> None:
    assert not is_known(asking(*values), '"a1"')


def test_what_is_known_is_answered_by_headers_alone() -> None:
    answer = Response(b"text", headers={"ETag": '"a1"', "Cache-Control": "no-cache"}, media_type="text/plain")

    known = respond_unless_modified(asking('"a1"'), answer)

    assert (known.status_code, known.body) == (304, b"")
    assert dict(known.headers) == {"etag": '"a1"', "cache-control": "no-cache"}
    assert respond_unless_modified(asking('"a"'), answer) is answer


def test_an_answer_without_a_tag_is_always_sent() -> None:
    answer = Response(b"text")

    assert respond_unless_modified(asking("*"), answer) is answer
