"""Rules about imports and calls that reading the sources can check."""

import ast
import configparser
import graphlib
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import import_contracts
import pytest
from import_contracts import SERVICES, SOURCES
from platform_under_test import ROOT

BACKEND = ROOT / "backend/src/vision_api"
STATEMENTS = frozenset({"select", "insert", "update", "delete"})
STATEMENT_FOLDERS = frozenset({"repository", "db", "backup"})
STATEMENT_FILES = frozenset({"repository.py", "kit/pagination.py", "kit/idempotency.py"})

FRAMEWORK_NAMED: Mapping[str, str] = {
    "backend/src/vision_api/catalog/endpoints.py": "an example in the OpenAPI description",
    "backend/src/vision_api/catalog/schemas.py": "an example in the OpenAPI description",
    "backend/src/vision_api/training_jobs/endpoints.py": "an example in the OpenAPI description",
    "backend/src/vision_api/training_jobs/schemas.py": "an example in the OpenAPI description",
    "shared/data_kit/src/data_kit/writers/image_files.py": "a docstring: a library rewrites files that it reads",
    "shared/data_kit/src/data_kit/formats/yolo_config.py": "docstrings: a library defines this format of data sets",
}
"""Files of the backend and of shared code that name a framework, each with the reason."""


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


def imports(tree: ast.Module) -> Iterator[tuple[str, list[str]]]:
    """Modules that are imported, each with the names taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, [alias.name for alias in node.names]


def import_graph(folder: Path) -> dict[str, set[str]]:
    """Modules below `folder`, each with those that it imports, also inside of functions."""
    trees = {".".join(path.relative_to(folder).with_suffix("").parts): tree for path, tree in modules(folder)}
    known = {name.removesuffix(".__init__"): tree for name, tree in trees.items()}
    graph: dict[str, set[str]] = {}
    for name, tree in known.items():
        found = (
            {f"{module}.{part}" if f"{module}.{part}" in known else module for part in parts} or {module}
            for module, parts in imports(tree)
        )
        graph[name] = set[str]().union(*found) & known.keys() - {name}
    return graph


def cycle(graph: Mapping[str, set[str]]) -> list[str]:
    """Some cycle of the graph, as a path from a node back to it; empty if there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def statement_imports(tree: ast.Module) -> set[str]:
    """Names of SQLAlchemy by which a module can write statements."""
    taken = {part for module, parts in imports(tree) if module.split(".")[0] == "sqlalchemy" for part in parts}
    called = {
        f"{node.func.value.id}.{node.func.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name) and node.func.attr in STATEMENTS
        and node.func.value.id in {"sqlalchemy", "sa", "sqlite", "postgresql"}
    }  # fmt: skip
    return taken & STATEMENTS | called


def may_write_statements(path: Path) -> bool:
    """Return whether a module of the backend is one of those that hold statements."""
    inside = path.relative_to(BACKEND)
    is_listed = path.name in STATEMENT_FILES or str(inside) in STATEMENT_FILES
    return is_listed or not STATEMENT_FOLDERS.isdisjoint(inside.parts[:-1])


def test_imports_go_one_way() -> None:
    done = subprocess.run([sys.executable, import_contracts.__file__], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_fourth_framework_is_in_the_contracts_without_an_edit() -> None:
    template = import_contracts.TEMPLATE.read_text()

    made = import_contracts.filled_in(template, services=["timm_service", "toy_service"], frameworks=["toylib"])

    contracts = configparser.ConfigParser()
    contracts.read_string(made)
    assert "toy_service" in contracts["importlinter"]["root_packages"].split()
    assert "timm_service | toy_service" in contracts["importlinter:contract:layers"]["layers"]
    assert "toylib" in contracts["importlinter:contract:backend"]["forbidden_modules"].split()
    assert "toy_service.adapter" in contracts["importlinter:contract:http-process"]["source_modules"].split()
    assert {"torch", "torchvision"} <= set(import_contracts.framework_modules())


@pytest.mark.parametrize("folder", SOURCES, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_modules_import_each_other_in_no_cycle(folder: Path) -> None:
    assert cycle(import_graph(folder)) == []


def test_statements_stand_in_repositories() -> None:
    offenders = {
        str(path.relative_to(BACKEND)): found
        for path, tree in modules(BACKEND)
        if not may_write_statements(path) and (found := statement_imports(tree))
    }

    assert offenders == {}


def test_backend_and_shared_code_name_no_framework() -> None:
    """An address of a hub is no framework's name."""
    name = re.compile(rf"\b(?:{'|'.join(SERVICES)})(?:_service)?\b(?!\.co)", re.IGNORECASE)
    sources = [path for folder in SOURCES if folder.parts[-3] != "services" for path in folder.rglob("*.py")]

    named = {str(path.relative_to(ROOT)) for path in sources if name.search(path.read_text())}

    assert named == FRAMEWORK_NAMED.keys()


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


def test_every_background_worker_is_an_example_of_its_page() -> None:
    """Subclasses of `Worker`, and the page that tells how to add one."""
    page = (ROOT / "docs/development/BACKGROUND.md").read_text()
    workers = [
        str(path.relative_to(ROOT)) for path, tree in modules(BACKEND)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).split("[")[0] == "Worker" for base in node.bases)
    ]  # fmt: skip

    assert workers
    assert [path for path in workers if f"`{path}`" not in page] == []


def test_processes_are_started_in_one_way_for_each_kind() -> None:
    """Processes of background work, those that draw previews, and training services."""
    starters = {
        str(path.relative_to(BACKEND)) for path, tree in modules(BACKEND)
        if any(isinstance(node, ast.Name) and node.id == "open_process" for node in ast.walk(tree))
    }  # fmt: skip

    assert starters == {"background/process.py", "datasets/previews/drawers.py", "training_services/process.py"}


def test_parts_of_the_application_are_held_in_one_typed_place() -> None:
    """`app.state` has no types: it is read and written in platform.py only, by tests too."""
    offenders = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in (BACKEND, ROOT / "backend/tests")
        for path, tree in modules(folder)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "state" and path != BACKEND / "platform.py"
        and isinstance(node.value, ast.Name | ast.Attribute)
        and (node.value.id if isinstance(node.value, ast.Name) else node.value.attr).strip("_") == "app"
    ]  # fmt: skip

    assert offenders == []


def test_loops_and_workers_are_woken_by_commits_and_by_each_other() -> None:
    """Requests register a notification with the session: `announce_request` for jobs, `add_waiting` for workers."""
    wakers = {
        path.relative_to(BACKEND).as_posix() for path, tree in modules(BACKEND)
        if any(name in {"wake", "wake_loops"} or re.match("notify_(job|project|all_s)", name)
               for name in called_methods(tree))
    }  # fmt: skip

    assert {path for path in wakers if "/loops/" not in path and "/streaming/" not in path} == {
        "background/worker.py",
        "training_jobs/notifier.py",
    }


def test_rows_of_workers_are_added_by_the_function_that_wakes_them() -> None:
    """`session.add` of a new row would leave it to the next poll."""
    rows = {
        node.name for _, tree in modules(BACKEND / "models") for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base) == "Claimable" for base in node.bases)
    }  # fmt: skip
    makers = [
        (str(path.relative_to(BACKEND)), tree) for path, tree in modules(BACKEND)
        if rows & set(called_functions(tree))
    ]  # fmt: skip

    assert rows
    assert makers
    assert [path for path, tree in makers if "add_waiting" not in called_functions(tree)] == []


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


@pytest.mark.parametrize("service", SERVICES)
def test_a_services_app_is_one_line(service: str) -> None:
    """The kit holds all that is not the framework's own."""
    tree = ast.parse((ROOT / f"services/{service}/src/{service}_service/app.py").read_text())

    statements = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)]
    assert len(statements) == 1
