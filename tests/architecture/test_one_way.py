"""One way for each thing: what one module does for all, no other does by itself."""

import ast
import tomllib
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


PACKAGES = [*ROOT.glob("shared/*/src"), *ROOT.glob("services/*/src"), ROOT / "backend/src"]
SPAWNING = ("subprocess.", "asyncio.create_subprocess", "asyncio.subprocess.create", "multiprocessing.", "os.")
STARTERS = {
    "Popen", "run", "call", "check_call", "check_output", "getoutput", "getstatusoutput", "create_subprocess_exec",
    "create_subprocess_shell", "system", "popen", "posix_spawn", "posix_spawnp", "Process", "Pool", "get_context",
    "ProcessPoolExecutor", "fork", "forkpty", *(f"{kind}{how}" for kind in ("exec", "spawn") for how in
    ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
}  # fmt: skip
MAY_START = {
    "shared/http_kit/src/http_kit/children.py": "the one that gives children their environment",
    "shared/trainer_kit/src/trainer_kit/warm/parent.py": "forks a process whose environment has no credentials",
    "shared/trainer_kit/src/trainer_kit/warm/waiting_trainer.py": "the same, before it is given the storage's",
    "shared/trainer_kit/src/trainer_kit/trainer/replicas.py": "forks a trainer, whose environment has none either",
    "shared/trainer_kit/src/trainer_kit/catalog_check/bounded.py": "a developer's command",
    "shared/trainer_kit/src/trainer_kit/testing/service_process.py": "tests",
    "services/timm/src/timm_service/catalog.py": "a developer's command",
}


def starts_processes(tree: ast.Module) -> bool:
    """Return whether a module calls, or imports by name, something that starts a process."""
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    named = {
        name for name in imported(tree) if name.startswith(("subprocess.", "os.", "multiprocessing.", "concurrent."))
    }
    spawning = {name for name in called if name.startswith(SPAWNING)} | named
    return any(name.rpartition(".")[2] in STARTERS for name in spawning)


def test_one_module_starts_processes_and_gives_them_their_environment() -> None:
    starters = {
        path.relative_to(ROOT).as_posix() for package in PACKAGES for path in package.rglob("*.py")
        if starts_processes(ast.parse(path.read_text()))
    }  # fmt: skip

    assert starters == set(MAY_START)


def test_one_module_makes_environments_of_children() -> None:
    """The type of an environment says that it went through the list: nobody else may claim it."""
    makers = [
        path.name for package in PACKAGES for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("ChildEnvironment")
    ]  # fmt: skip

    assert set(makers) == {"children.py"}


def test_adapters_and_projects_name_the_same_variables() -> None:
    for project in ROOT.glob("services/*/pyproject.toml"):
        described = tomllib.loads(project.read_text()).get("tool", {}).get("training-service", {})
        adapter = next(project.parent.glob("src/*/adapter.py"))
        named = [
            ast.literal_eval(node.value) for node in ast.walk(ast.parse(adapter.read_text()))
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "variables"
        ]  # fmt: skip

        assert named == [tuple(described.get("variables", ()))]
