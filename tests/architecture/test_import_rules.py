"""Rules of imports and calls between modules."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from platform_under_test import ROOT

BACKEND = ROOT / "backend/src/vision_api"
SOURCES = [path for pattern in ("*/src", "*/*/src") for path in ROOT.glob(pattern)]


def modules(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(folder.rglob("*.py")):
        yield path, ast.parse(path.read_text())


def imported_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def called_methods(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr


def called_functions(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def test_imports_go_one_way() -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, SOURCES))}
    linter = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run(
        [linter, "--config", ROOT / "tests/architecture/importlinter.ini", "--no-cache"],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


def test_only_training_services_sends_http_requests() -> None:
    offenders = [
        str(path.relative_to(BACKEND)) for path, tree in modules(BACKEND)
        if "httpx" in imported_names(tree) and path.parent.name != "training_services"
    ]  # fmt: skip

    assert offenders == []


def test_processes_and_clients_are_guarded_against_database_sessions() -> None:
    """Every module that starts a process or opens a client calls `forbid_in_session` first."""
    offenders = [
        str(path.relative_to(BACKEND)) for path, tree in modules(BACKEND)
        if {"AsyncClient", "create_subprocess_exec", "create_subprocess_shell", "Popen"} & set(called_methods(tree))
        and "forbid_in_session" not in called_functions(tree)
    ]  # fmt: skip

    assert offenders == []


def test_only_the_session_module_commits() -> None:
    offenders = [
        str(path.relative_to(BACKEND)) for path, tree in modules(BACKEND)
        if "commit" in called_methods(tree) and path != BACKEND / "db/session.py"
    ]  # fmt: skip

    assert offenders == []


def test_only_switch_status_changes_a_jobs_status() -> None:
    """`switch_status()` in training_jobs/status.py is the only code that assigns `.status` of a job."""
    offenders = [
        f"{path.relative_to(BACKEND)}:{node.lineno}"
        for path, tree in modules(BACKEND / "training_jobs")
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AugAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute) and target.attr == "status" and path.name != "status.py"
    ]

    assert offenders == []


@pytest.mark.parametrize("service", sorted(path.name for path in (ROOT / "services").iterdir() if path.is_dir()))
def test_a_services_app_is_one_line(service: str) -> None:
    """Code that is not about the framework belongs to the kit."""
    tree = ast.parse((ROOT / f"services/{service}/src/{service}_service/app.py").read_text())

    statements = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)]
    assert len(statements) == 1
