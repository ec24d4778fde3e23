"""Ground truth is made of labels in one module. No other measuring code draws labels or passes them to an evaluator."""

import ast
from collections.abc import Iterator
from pathlib import Path

from platform_under_test import ROOT

KIT = ROOT / "shared/trainer_kit/src/trainer_kit"
TRUTH = KIT / "evaluation/truth.py"
MEASURES = [*sorted(KIT.rglob("*.py")), *sorted(ROOT.glob("services/*/src/**/*.py"))]


def imported(path: Path) -> set[str]:
    """Return the full names of imported modules, and of what is imported from them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def calls_of(path: Path, method: str) -> Iterator[str]:
    """Return the expressions whose `method` is called, as written."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method:
            yield ast.unparse(node.func.value)


def test_one_module_fills_outlines() -> None:
    fillers = [path for path in MEASURES if {"data_kit.masks.fill_polygons", "data_kit.masks"} & imported(path)]

    assert fillers == [TRUTH]


def test_evaluators_are_given_samples_and_never_labels() -> None:
    calls = [
        f"{path.relative_to(ROOT)}: {of}.update()" for path in MEASURES for of in calls_of(path, "update")
        if of.endswith("evaluator")
    ]  # fmt: skip

    assert calls == []
