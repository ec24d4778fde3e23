"""One table for each enumeration: what follows from a member stands beside it, and no other code compares members."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from platform_under_test import ROOT

BACKEND = ROOT / "backend/src/vision_api"
EVERYTHING = [BACKEND, *sorted(ROOT.glob("shared/*/src")), *sorted(ROOT.glob("services/*/src"))]

REASONS_COMPARED: Mapping[str, str] = {
    "backend/src/vision_api/training_jobs/loops/event_batch.py": "the message names the limit that was exceeded",
    "shared/contracts/src/vision_contracts/reasons.py": "the table",
    "shared/trainer_kit/src/trainer_kit/catalog_check/trial.py": "judges a model of the catalogue, and ends no job",
}
"""Files that compare with an end reason, each with the reason."""


def is_member(node: ast.AST, enumeration: str) -> bool:
    """Return whether an expression is a member of `enumeration`."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == enumeration


def comparisons(tree: ast.Module, enumeration: str) -> Iterator[int]:
    """Return the lines that compare with a member, or list members to look something up in."""
    for node in ast.walk(tree):
        operands: Sequence[ast.AST | None] = ()
        match node:
            case ast.Compare():
                operands = [node.left, *node.comparators]
            case ast.MatchValue():
                operands = [node.value]
            case ast.Set() | ast.Tuple() | ast.List():
                operands = node.elts
            case ast.Dict():
                operands = node.keys
            case _:
                pass
        if any(operand is not None and is_member(operand, enumeration) for operand in operands):
            yield getattr(node, "lineno", 0)


def comparing_files(folders: Sequence[Path], enumeration: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix() for folder in folders for path in sorted(folder.rglob("*.py"))
        if any(comparisons(ast.parse(path.read_text()), enumeration))
    }  # fmt: skip


def test_what_follows_from_an_end_reason_stands_in_its_table() -> None:
    assert comparing_files(EVERYTHING, "EndReason") == set(REASONS_COMPARED)


def test_what_follows_from_a_kind_of_job_stands_in_its_table() -> None:
    """Services know kinds by their entry points (`trainer_kit.adapter`); the table is the backend's."""
    assert comparing_files([BACKEND], "JobKind") == {"backend/src/vision_api/training_jobs/kinds.py"}


def test_an_end_reason_decides_how_a_job_ends() -> None:
    """`end_job()` and `end_attempt()` are given the reason; no other code names the status of an ending."""
    offenders = [
        f"{path.relative_to(BACKEND)}:{node.lineno}"
        for path in sorted(BACKEND.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "switch_status"
        and any(ast.unparse(argument).endswith((".FAILED", ".CANCELLED")) for argument in node.args)
    ]  # fmt: skip

    assert offenders == []


def test_a_comparison_in_any_form_is_seen() -> None:
    forms = [
        "x is R.A", "x != R.A", "x in {R.A}", "x in (R.A, R.B)", "y = [R.A]", "{R.A: 1}",
        "match x:\n    case R.A: pass",
    ]  # fmt: skip

    assert all(any(comparisons(ast.parse(form), "R")) for form in forms)
    assert not any(comparisons(ast.parse("raise Error(R.A, 'text')\ny = R.A\n{'code': R.A}"), "R"))
