"""The one shape of use cases and of workflows, so that a call can be written before the function is read."""

import ast
from collections.abc import Iterator

import pytest
from platform_under_test import ROOT

BACKEND = ROOT / "backend/src/vision_api"
FIRST_PARAMETERS = {"use_cases": "session: AsyncSession", "workflows": "database: Database"}


def modules() -> Iterator[tuple[str, str, ast.Module]]:
    """Return path, kind and tree of each module that holds use cases or workflows."""
    for path in sorted(BACKEND.rglob("*.py")):
        name = path.relative_to(BACKEND).as_posix()
        if path.stem == "workflows":
            yield name, "workflows", ast.parse(path.read_text())
        elif path.stem == "use_cases" or path.stem.endswith("_use_cases"):
            yield name, "use_cases", ast.parse(path.read_text())


def shape(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return what a caller must know about a function: `async (session: AsyncSession, *)`."""
    arguments = function.args
    positional = [ast.unparse(each) for each in (*arguments.posonlyargs, *arguments.args)]
    rest = [f"*{arguments.vararg.arg}"] if arguments.vararg else ["*"] if arguments.kwonlyargs else []
    prefix = "async " if isinstance(function, ast.AsyncFunctionDef) else ""
    return f"{prefix}({', '.join(positional + rest)})"


def shapes(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Return name and shape of each public function, and of each method."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node.name, shape(node)
        elif isinstance(node, ast.ClassDef):
            methods = (each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
            yield from ((f"{node.name}.{each.name}", f"method {shape(each)}") for each in methods)


def offenders(kind: str, tree: ast.Module) -> dict[str, str]:
    """Return the functions of another shape than that of their kind."""
    first = FIRST_PARAMETERS[kind]
    allowed = {f"async ({first}, *)", f"async ({first})"}
    return {name: found for name, found in shapes(tree) if found not in allowed}


def test_use_cases_take_a_session_and_workflows_the_database() -> None:
    found = {path: wrong for path, kind, tree in modules() if (wrong := offenders(kind, tree))}

    assert found == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("async def get(session: AsyncSession, *, user: User) -> None: ...", {}),
        ("async def get(session: AsyncSession) -> None: ...", {}),
        ("async def get(session: AsyncSession, user: User): ...", {"get": "async (session: AsyncSession, user: User)"}),
        ("async def get(database: Database, *, user: User) -> None: ...", {"get": "async (database: Database, *)"}),
        ("def get(session: AsyncSession, *, user: User) -> None: ...", {"get": "(session: AsyncSession, *)"}),
        ("class Getter:\n    def get(self) -> None: ...", {"Getter.get": "method (self)"}),
        ("def _get() -> None: ...\nclass Row:\n    user: User", {}),
    ],
)  # fmt: skip
def test_the_lint_knows_a_use_case_from_other_shapes(source: str, found: dict[str, str]) -> None:
    assert offenders("use_cases", ast.parse(source)) == found


def opened_sessions(tree: ast.Module) -> set[str]:
    """Return the functions in which a module opens a session of the database."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {
        function.name
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"snapshot", "transaction"}
    }  # fmt: skip


def test_a_use_case_is_one_transaction_of_its_caller() -> None:
    found = {path: opened_sessions(tree) for path, kind, tree in modules() if kind == "use_cases"}

    assert {path: opened for path, opened in found.items() if opened} == {}


def imports_a_repository(tree: ast.Module) -> bool:
    """Return whether a module imports a repository, or a statement of one."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return any("repository" in (*f"{node.module}".split("."), alias.name) for node in nodes for alias in node.names)


def test_workflows_compose_use_cases_and_import_no_repository() -> None:
    found = [path for path, kind, tree in modules() if kind == "workflows" and imports_a_repository(tree)]

    assert found == []
