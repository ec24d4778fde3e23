"""Logs that a person can read, and that tell no secrets."""

import json
import logging

import pytest

from vision_api.kit.logging import Seldom, configure_logging, redact, request_id_var


@pytest.fixture(autouse=True)
def _keep_handlers() -> object:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("/x?ticket=abc&index=1", "/x?ticket=***&index=1"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("postgresql://mina:secret@host/db", "postgresql://mina:***@host/db"),
        ("JWT_SECRET=abc and password=def", "JWT_SECRET=*** and password=***"),
        ("http://127.0.0.1:8001 is ready", "http://127.0.0.1:8001 is ready"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_secrets_are_redacted(text: str, redacted: str) -> None:
    assert redact(text) == redacted


def test_text_is_one_readable_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("text")
    request_id_var.set("0123456789abcdef")
    logging.getLogger("vision_api.projects.use_cases").info("user %s asked with ticket=%s", 7, "abc")
    line = capsys.readouterr().err
    assert line[12:] == " INFO    projects.use_cases: user 7 asked with ticket=***  [01234567]\n"


def test_json_carries_the_same_as_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("json")
    request_id_var.set("0123456789abcdef")
    try:
        raise ValueError("password=abc")
    except ValueError:
        logging.getLogger("vision_api.projects").exception("user %s failed", 7)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"], line["logger"]) == ("user 7 failed", "error", "vision_api.projects")
    assert line["request_id"] == "0123456789abcdef"
    assert "ValueError: password=***" in line["exception"]


def test_a_message_that_strangers_can_cause_without_end_is_logged_seldom() -> None:
    now = 0.0
    seldom = Seldom("Too many", clock=lambda: now)
    passed: list[str] = []

    def log(message: str) -> None:
        record = logging.LogRecord("any", logging.WARNING, "", 1, message, None, None)
        if seldom.filter(record):
            passed.append(record.getMessage())

    for _ in range(1000):
        log("Too many connections")
        log("Something else") if now else None
    now = 10.0
    log("Too many connections")
    log("Something else")
    log("Something else")

    assert passed == [
        "Too many connections",
        "Too many connections (999 times more since the last line)",
        "Something else",
        "Something else",
    ]
