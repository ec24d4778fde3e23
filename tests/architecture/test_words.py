"""The language of the house: the field's words, one meaning each, and docstrings that begin with a noun or a verb."""

import ast
import io
import re
import runpy
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from platform_under_test import ROOT

SOURCES = sorted(
    path
    for pattern in ("*/src", "*/*/src", "tests", "*/tests", "*/*/tests", "scripts")
    for folder in ROOT.glob(pattern)
    for path in folder.rglob("*.py")
    if ".venv" not in path.parts
)
PROSE = sorted(path for pattern in ("*.md", "docs/**/*.md", "*/*/README.md") for path in ROOT.glob(pattern))

OPENINGS = frozenset(
    [
        "what",
        "whatever",
        "who",
        "whoever",
        "whom",
        "whose",
        "somebody",
        "someone",
        "nobody",
        "everybody",
        "everyone",
        "anybody",
        "whether",
        "where",
        "wherever",
        "how",
        "why",
        "when",
        "it",
        "its",
        "they",
        "those",
        "these",
        "of",
        "as",
        "by",
        "in",
        "into",
        "until",
        "till",
        "at",
        "on",
        "with",
        "without",
        "so",
        "if",
        "not",
        "to",
        "from",
        "for",
        "see",
        "only",
        "something",
        "nothing",
        "anything",
        "everything",
    ]
)
"""Words that neither a noun nor a verb begins with. A docstring says what a thing is, or what it does."""

PRIVATE_WORDS = frozenset(
    [
        "settle",
        "settler",
        "settling",
        "follower",
        "followers",
        "workshop",
        "shop",
        "painting",
        "lettering",
        "letterings",
        "aftermath",
        "journal",
        "meters",
        "told",
        "contender",
        "contenders",
        "desk",
        "narration",
        "hasten",
        "audience",
        "moments",
        "verdict",
        "works",
        "wakeups",
        "unfilled",
        "wish",
        "told",
    ]
)
"""Parts of names that only this house understood. See the words in docs/architecture/ARCHITECTURE.md."""

FORBIDDEN_PROSE = re.compile(r"\b(?:mend|mends|mended|mending|goes on|go on|went on|going on)\b", re.IGNORECASE)
"""*Fix*, *retry*, *resume* and *continue* are the field's words."""
HISTORY = ROOT / "docs/adr"
"""Decisions keep the words of their day."""


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Docstrings of modules, classes, functions and constants, with their lines."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for each in body if isinstance(body, list) else ():
            if (
                isinstance(each, ast.Expr)
                and isinstance(each.value, ast.Constant)
                and isinstance(each.value.value, str)
            ):
                yield each.lineno, each.value.value.strip()


def comments(text: str) -> Iterator[tuple[int, str]]:
    """First lines of comments."""
    before = -1
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != before + 1:
                yield token.start[0], token.string.lstrip("#!: ")
            before = token.start[0]


def names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Names that the code gives: of modules' functions, classes, parameters and variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


@cache
def words(name: str) -> set[str]:
    """`SignInDesk` and `sign_in_desk` have the words sign, in and desk."""
    return {part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def first_word(text: str) -> str:
    """The first word of a text, in lower case; empty where it begins with code."""
    found = re.match(r"[A-Za-z']+", text)
    return found.group().lower() if found else ""


def test_docstrings_and_comments_begin_with_a_noun_or_a_verb() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for path in SOURCES
        for line, text in sorted([*docstrings(ast.parse(path.read_text())), *comments(path.read_text())])
        if first_word(text) in OPENINGS
    ]

    assert offenders == [], "\n".join(offenders)


def test_names_are_of_the_field() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in SOURCES
        for line, name in [(1, path.stem), *names(ast.parse(path.read_text()))]
        if words(name) & PRIVATE_WORDS
    ]

    assert offenders == [], "\n".join(offenders)


@pytest.mark.parametrize(
    "folder", sorted(path for pattern in ("*/src", "*/*/src") for path in ROOT.glob(pattern)), ids=str
)
def test_a_public_class_has_its_name_alone(folder: Path) -> None:
    places = defaultdict[str, list[str]](list)
    for path in folder.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(folder)))

    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_the_table_of_words_is_complete_and_up_to_date() -> None:
    module = runpy.run_path(str(ROOT / "scripts/words_table.py"))

    assert module["page"]() == module["PAGE"].read_text(), "run: make docs"


def test_every_public_class_says_what_it_is() -> None:
    module = runpy.run_path(str(ROOT / "scripts/words_table.py"))

    assert [name for name, meaning, _ in module["public_classes"]() if not meaning] == []


def test_texts_say_fix_and_resume() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in [*SOURCES, *PROSE]
        if path != Path(__file__) and HISTORY not in path.parents
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if FORBIDDEN_PROSE.search(line)
    ]

    assert offenders == []
