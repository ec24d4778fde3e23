"""The table of words in docs/architecture/ARCHITECTURE.md, made from the docstrings of public classes (`make docs`).

python3 scripts/words_table.py > table.md      the table alone
python3 scripts/words_table.py --write         replaces the table in the page
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/architecture/ARCHITECTURE.md"
BEGIN, END = "<!-- words: made by `make docs` -->", "<!-- end of words -->"
SOURCES = ("shared/*/src", "backend/src")
DESCRIBED_ELSEWHERE = {"schemas.py", "errors.py"}
"""The API page describes the classes of schemas, the tree in each errors.py the errors."""
SKIPPED_FOLDERS = {"testing"}


def public_classes() -> Iterator[tuple[str, str, str]]:
    """Name, first sentence of the docstring, and module of each public class."""
    for pattern in SOURCES:
        for folder in sorted(ROOT.glob(pattern)):
            for path in sorted(folder.rglob("*.py")):
                if path.name in DESCRIBED_ELSEWHERE or SKIPPED_FOLDERS & set(path.parts):
                    continue
                module = ".".join(path.relative_to(folder).with_suffix("").parts)
                for node in ast.parse(path.read_text()).body:
                    if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not is_error(node):
                        yield node.name, first_sentence(ast.get_docstring(node) or ""), module


def is_error(node: ast.ClassDef) -> bool:
    """Return whether a class is an exception or a warning, by the names of its bases."""
    return any(re.search(r"(Exception|Error|Warning)$", ast.unparse(base)) for base in node.bases)


def first_sentence(docstring: str) -> str:
    """The first sentence of a docstring's first paragraph, without its full stop, fit for a cell of a table."""
    paragraph = " ".join(docstring.split("\n\n")[0].split())
    sentence = re.split(r"(?<=[^.])\.(?=\s|$)", paragraph)[0]
    return sentence.replace("|", r"\|")


def table() -> str:
    """Return the table in Markdown, in alphabetical order."""
    rows = sorted(set(public_classes()), key=lambda row: (row[0].lower(), row[2]))
    lines = ["| word | meaning | module |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {meaning} | `{module}` |" for name, meaning, module in rows)])


def page() -> str:
    """Return the page with the table of today's code."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page())
    else:
        sys.stdout.write(table() + "\n")
