"""One way for each thing: what one module does for all, no other does by itself."""

import ast
from collections.abc import Iterator

from platform_under_test import ROOT

BACKEND = ROOT / "backend/src/vision_api"


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Return each module of the backend with its path."""
    for path in sorted(BACKEND.rglob("*.py")):
        yield path.relative_to(BACKEND).as_posix(), ast.parse(path.read_text())


def reads_header(tree: ast.Module, header: str) -> bool:
    """Return whether a module looks up a header, by `get`, `getlist` or an index."""
    for node in ast.walk(tree):
        keys: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"get", "getlist"}:
            keys = node.args[:1]
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            keys = [node.slice]
        if any(isinstance(key, ast.Constant) and str(key.value).lower() == header for key in keys):
            return True
    return False


def test_one_module_reads_if_none_match() -> None:
    assert [path for path, tree in trees() if reads_header(tree, "if-none-match")] == ["kit/conditional.py"]


def imported(tree: ast.Module) -> set[str]:
    """Return the full names that a module imports from others."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {
        f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else alias.name
        for node in nodes for alias in node.names
    }  # fmt: skip


def test_one_module_makes_routes_that_answer_from_a_cache() -> None:
    makers = [
        path for path, tree in trees()
        if "vision_api.kit.response_cache.ResponseCache" in imported(tree)
        and any(isinstance(node, ast.FunctionDef) and node.name == "get_route_handler" for node in ast.walk(tree))
    ]  # fmt: skip

    assert makers == ["kit/cached_route.py"]


def test_one_module_reads_forms_with_files() -> None:
    readers = [
        path for path, tree in trees()
        if any(name.startswith("python_multipart.") or name.endswith(".UploadFile") for name in imported(tree))
    ]  # fmt: skip

    assert readers == ["kit/multipart.py"]


def test_one_package_draws_with_pillow() -> None:
    """Matplotlib draws plots of a report, and the data kit all else: in one palette, in fonts of every script."""
    packages = [*ROOT.glob("shared/*/src"), *ROOT.glob("services/*/src"), ROOT / "backend/src"]
    drawers = {
        path.parent.relative_to(ROOT).as_posix() for package in packages for path in package.rglob("*.py")
        if imported(ast.parse(path.read_text())) & {"PIL.ImageDraw", "PIL.ImageFont", "PIL.ImageDraw.Draw"}
    }  # fmt: skip

    assert drawers == {"shared/data_kit/src/data_kit/drawing"}


def test_a_setting_of_a_job_stands_in_four_files_at_most() -> None:
    """The sample is one that request, row, specification, capacity, estimates, comparison and lineage know."""
    files = [
        path.relative_to(BACKEND).as_posix() for path in BACKEND.rglob("*.py") if "num_devices" in path.read_text()
    ]

    assert len(files) <= 4, files
