import ast
from pathlib import Path

import ultralytics_service
from ultralytics_service.library import LOGGER, ultralytics

PACKAGE = Path(ultralytics_service.__file__).parent


def imported_packages(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def test_only_one_module_imports_the_library() -> None:
    users = {file.name for file in PACKAGE.glob("*.py") if "ultralytics" in imported_packages(file)}
    assert users == {"library.py"}


def test_the_library_is_offline_and_tells_nobody() -> None:
    assert ultralytics.utils.ONLINE is False
    assert ultralytics.utils.AUTOINSTALL is False
    assert [name for name, value in ultralytics.settings.items() if value is True] == []


def test_the_library_keeps_its_terminal_output_to_itself() -> None:
    assert LOGGER.getEffectiveLevel() >= 30
