"""Log lines of a process."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from http_kit.logs import Fields, JsonFormatter, TextFormatter, escape, log_to_standard_error

log = logging.getLogger("http_kit.tests")


@pytest.fixture(autouse=True)
def _keep_handlers() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def read_fields(record: logging.LogRecord) -> Fields:
    return {"message": record.getMessage(), "level": record.levelname.lower(), "request_id": None}


def test_a_record_is_one_line_of_its_fields_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_standard_error(JsonFormatter(read_fields), logging.INFO)

    log.warning("épochs: %d\nand more", 3)

    expected = '{"message": "\\u00e9pochs: 3\\nand more", "level": "warning", "request_id": null}\n'
    assert capsys.readouterr().err == expected


def test_an_exception_is_the_last_field(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_standard_error(JsonFormatter(read_fields), logging.INFO)

    try:
        raise ValueError("too many")
    except ValueError:
        log.exception("failed")

    fields = json.loads(capsys.readouterr().err)
    assert list(fields) == ["message", "level", "request_id", "exception"]
    assert fields["exception"].startswith("Traceback (most recent call last):\n")
    assert fields["exception"].endswith("\nValueError: too many")


def test_every_text_is_cleaned(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_standard_error(JsonFormatter(read_fields, lambda text: text.replace("secret", "***")), logging.INFO)

    try:
        raise ValueError("a secret")
    except ValueError:
        log.exception("the secret")

    line = capsys.readouterr().err
    assert "secret" not in line
    assert "ValueError: a ***" in line


def test_a_second_configuration_replaces_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_standard_error(JsonFormatter(read_fields), logging.INFO)
    log_to_standard_error(logging.Formatter("%(message)s"), "WARNING")

    log.info("not shown")
    log.warning("shown once")

    assert capsys.readouterr().err == "shown once\n"
    assert logging.getLogger().handlers[0].stream is sys.stderr  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a\r\nINFO forged", "a\\r\\nINFO forged"),
        ("\x1b[31mred\x9b", "\\x1b[31mred\\x9b"),
        ("\u202etxt.exe\u2066", "\\u202etxt.exe\\u2066"),
        ("a\u2028b", "a\\u2028b"),
        ("tab\tand 가 and 👩\u200d🔬", "tab\tand 가 and 👩\u200d🔬"),
    ],
)
def test_a_text_cannot_look_like_another_line_or_like_orders_to_a_terminal(text: str, escaped: str) -> None:
    assert escape(text) == escaped


def test_text_is_one_line_and_an_exception_is_indented(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_standard_error(TextFormatter(lambda record: record.getMessage(), str.upper), logging.INFO)

    try:
        raise ValueError("one\ntwo")
    except ValueError:
        log.exception("it failed\nhere")

    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "IT FAILED\\nHERE"
    assert lines[-1] == "  TWO"
    assert all(line.startswith("  ") for line in lines[1:])
