"""Environments of children: what a list selects, and what no list can."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from http_kit.children import (
    BASE,
    NEVER,
    SAME_PYTHON,
    STORAGE,
    ChildEnvironment,
    ask_program,
    child_environment,
    open_process,
    start_process,
    with_values,
    without,
    wrong_patterns,
)

ENVIRON = {"PATH": "/bin", "LC_ALL": "C", "AWS_REGION": "x", "HF_HOME": "/h", "HF": "no", "CANARY": "secret"}


def test_names_and_prefixes_select_and_nothing_else_passes() -> None:
    assert child_environment(ENVIRON, (*BASE, "HF_*")) == {"PATH": "/bin", "LC_ALL": "C", "HF_HOME": "/h"}


def test_no_pattern_selects_a_secret_of_the_platform() -> None:
    secrets = {name: "secret" for each in NEVER for name in (each, f"{each}_FILE")}

    assert child_environment(secrets, [*secrets, "HUB_*", "J*"]) == {}
    assert child_environment({}, BASE, {"SERVICE_TOKEN": "its own"}) == {"SERVICE_TOKEN": "its own"}


def test_storage_is_taken_out_whatever_a_list_selects() -> None:
    environment = child_environment(ENVIRON, (*BASE, "AWS_*"))

    assert with_values(without(environment, STORAGE), {"A": "1"}) == {"PATH": "/bin", "LC_ALL": "C", "A": "1"}


def test_a_star_alone_is_no_pattern() -> None:
    assert wrong_patterns(["A", "B_*", "*", "a b", "A*B", ""]) == ["*", "a b", "A*B", ""]


PRINT_NAMES = "import os; print(*sorted(os.environ))"


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "secret")


async def _output(command: list[str], environment: ChildEnvironment) -> bytes:
    process = await open_process(command, environment)
    output, _ = await process.communicate()
    return output


def test_programs_have_the_environment_that_they_are_given(tmp_path: Path) -> None:
    environment = child_environment({"LANG": "C"}, BASE, {"A": "1"})
    command = [sys.executable, "-I", "-c", PRINT_NAMES]

    process = start_process(command, environment, folder=tmp_path, stdout=subprocess.PIPE)
    output, _ = process.communicate()
    same = asyncio.run(_output(command, environment))

    assert set(output.split()) - {b"LC_CTYPE"} == set(same.split()) - {b"LC_CTYPE"} == {b"A", b"LANG"}


@pytest.mark.usefixtures("canary")
def test_a_program_of_the_machine_has_the_base_alone() -> None:
    names = ask_program([sys.executable, "-c", PRINT_NAMES], seconds=30)

    assert names is not None
    assert "PATH" in names.split()
    assert "CANARY" not in names


def test_a_program_that_fails_or_hangs_has_no_answer() -> None:
    assert ask_program(["/bin/false"], seconds=30) is None
    assert ask_program(["/no/such/program"], seconds=30) is None
    assert ask_program([sys.executable, "-c", "import time; time.sleep(60)"], seconds=0.5) is None


def test_children_in_the_same_python_get_its_variables() -> None:
    assert child_environment({"PYTHONPATH": "/p"}, BASE) == {}
    assert child_environment({"PYTHONPATH": "/p"}, SAME_PYTHON) == {"PYTHONPATH": "/p"}
