"""Processes of workers: their output, their limits, and their end."""

from collections.abc import Callable
from pathlib import Path

import pytest

from vision_api.background.process import Command, Limits, ProcessCrashed, ProcessTimedOut, run_process

WriteModule = Callable[[str], object]


@pytest.fixture
def write_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteModule:
    """Return a function that writes the module `work`, which a process can run."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return (tmp_path / "work.py").write_text


async def test_the_last_line_is_the_result_and_all_are_reported(write_module: WriteModule) -> None:
    write_module("import os, sys\nprint(sys.argv[1], flush=True)\nprint(os.environ['NAME'] + sys.stdin.read())")
    lines: list[bytes] = []

    command = Command("work", ("one",), b"input", {"NAME": "two"})
    last = await run_process(command, Limits(60), lines.append)

    assert (last, lines) == (b"twoinput\n", [b"one\n", b"twoinput\n"])


async def test_a_process_has_none_of_the_backends_variables_but_those_that_are_named(
    write_module: WriteModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HUB_TOKEN", "JWT_SECRET", "AWS_SECRET_ACCESS_KEY", "HF_HOME"):
        monkeypatch.setenv(name, "canary")
    write_module("import os; print(*(name for name, value in os.environ.items() if value == 'canary'))")

    assert await run_process(Command("work"), Limits(60)) == b"\n"
    assert await run_process(Command("work", allowed=("HF_*",)), Limits(60)) == b"HF_HOME\n"


async def test_a_crash_is_reported_with_its_exit_code(write_module: WriteModule) -> None:
    write_module("raise SystemExit(7)")

    with pytest.raises(ProcessCrashed, match="exit code 7"):
        await run_process(Command("work", input=b"x" * 1_000_000), Limits(60))


@pytest.mark.parametrize(
    ("limits", "message"), [(Limits(60, 1.0), "no progress for 1 s"), (Limits(1.0), "longer than 1 s")]
)
async def test_a_process_beyond_its_limits_is_killed(write_module: WriteModule, limits: Limits, message: str) -> None:
    write_module("import time; time.sleep(60)")

    with pytest.raises(ProcessTimedOut, match=message):
        await run_process(Command("work"), limits)


def test_input_is_not_shown_in_logs() -> None:
    assert "secret" not in repr(Command("work", input=b"secret"))
