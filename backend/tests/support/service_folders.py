"""Folders as in `services/`, whose programs are the small service."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
LAUNCHER = """#!/bin/sh
PYTHONPATH={tests} exec {python} -m support.small_service {name} {options}
"""


def add_service(services: Path, name: str, *options: str) -> Path:
    """A folder with an environment; `deaf` makes a service that ignores SIGTERM."""
    script = LAUNCHER.format(python=sys.executable, tests=TESTS, name=name, options=" ".join(options))
    return add_folder(services, name, script)


def add_folder(services: Path, name: str, script: str | None = None) -> Path:
    """A folder; without a script it has no environment yet."""
    folder = services / name
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(f'[project]\nname = "{name}-service"\n')
    if script is not None:
        executable = folder / ".venv/bin/training-service"
        executable.parent.mkdir(parents=True)
        executable.write_text(script)
        executable.chmod(0o755)
    return folder
