"""Failures of the set-up are one clear line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from platform_under_test import ROOT

WITHOUT_ENSUREPIP = """
import importlib.util, runpy, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "ensurepip" else find(name, *rest)
sys.argv = sys.argv[1:]
sys.path.insert(0, "scripts")
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the contracts alone, without any environment."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/setup.py", tmp_path / "scripts")
    for name in ("pyproject.toml", "requirements.lock"):
        (tmp_path / "shared/contracts").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "shared/contracts" / name, tmp_path / "shared/contracts")
    (tmp_path / "bin").mkdir()
    return tmp_path


def set_up(checkout: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command, "scripts/setup.py", "shared/contracts"],
        cwd=checkout,
        env=os.environ | {"PATH": str(checkout / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_missing_venv_module_is_reported_with_its_package(checkout: Path) -> None:
    done = set_up(checkout, "-c", WITHOUT_ENSUREPIP)

    assert done.returncode == 1
    [line] = [line for line in done.stdout.splitlines() if "module is missing" in line]
    assert "apt install python3-venv" in line
    assert "Traceback" not in done.stderr


def test_a_full_disk_is_one_line(checkout: Path) -> None:
    uv = checkout / "bin/uv"
    uv.write_text("#!/bin/sh\necho 'error: failed to write: No space left on device (os error 28)' >&2\nexit 2\n")
    uv.chmod(0o755)

    done = set_up(checkout)

    assert done.returncode == 1
    assert "The disk is full" in done.stdout.splitlines()[-1]
    assert "Traceback" not in done.stderr
