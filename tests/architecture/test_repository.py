"""Files that must not be committed, and links and paths of pages that must exist."""

import re
import subprocess
from pathlib import Path

import pytest
from platform_under_test import ROOT

LARGEST_FILE_BYTES = 1_000_000
SHOWN_AS = {"SERVICE_URLS": "<FRAMEWORK>_SERVICE_URL"}
"""Settings of the backend that the page names differently: one variable for each framework."""


def tracked_files() -> list[str]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listing.split("\0") if name]


def test_no_large_file_and_no_lock_with_addresses() -> None:
    files = tracked_files()

    assert [name for name in files if (ROOT / name).stat().st_size > LARGEST_FILE_BYTES] == []
    assert [name for name in files if name.endswith(("uv.lock", "package-lock.json", "poetry.lock"))] == []
    locks = [name for name in files if re.search(r"requirements.*\.lock$", name)]
    assert [name for name in locks if "://" in (ROOT / name).read_text()] == []


def test_no_link_is_tracked() -> None:
    """A link may lead to a place that exists on one machine only, such as a borrowed environment."""
    listing = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert [line for line in listing.splitlines() if line.startswith("120000")] == []


@pytest.mark.parametrize("name", ["backend", "services/timm", "services/ultralytics", "services/huggingface", "shared"])
def test_the_top_level_is_as_agreed(name: str) -> None:
    assert (ROOT / name).is_dir()


def test_every_document_that_a_page_links_to_exists() -> None:
    broken = [
        f"{page.relative_to(ROOT)} → {target}"
        for page in (ROOT / name for name in tracked_files() if name.endswith(".md"))
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists()
    ]

    assert broken == []


def test_every_code_path_that_a_page_names_exists() -> None:
    """Pages name files as `backend/src/…`: a page must change with a file that moves."""
    pattern = re.compile(r"`((?:backend|shared|services|tests|scripts|docs)/[\w./-]+\.\w+)`")
    missing = [
        f"{name} → {target}" for name in tracked_files() if name.endswith(".md")
        for target in pattern.findall((ROOT / name).read_text()) if not (ROOT / target).exists()
    ]  # fmt: skip

    assert missing == []


def test_the_index_of_decisions_is_complete() -> None:
    folder = ROOT / "docs/adr"
    listed = re.findall(r"^\| (\d+) \| \[([^\]]+)\]\(([^)]+)\)", (folder / "README.md").read_text(), re.MULTILINE)

    titles = {path.name: path.read_text().partition("\n")[0] for path in sorted(folder.glob("0*.md"))}
    assert {name: f"# {number}. {title}" for number, title, name in listed} == titles


def test_settings_stand_in_the_group_that_the_page_shows_them_in() -> None:
    page, group = (ROOT / "docs/configuration.md").read_text(), ""
    misplaced: list[str] = []
    for line in (ROOT / "backend/src/vision_api/config.py").read_text().splitlines():
        if found := re.match(r"    # ([A-Z][a-z]*[a-zA-Z ]*\w)", line):
            group = found[1]
        elif (found := re.match(r"    ([a-z_]+): ", line)) and group:
            section = re.split(rf"^#+ {group}$", page, maxsplit=1, flags=re.MULTILINE)[1].split("\n#", 1)[0]
            name = found[1].upper()
            if not re.search(rf"`{SHOWN_AS.get(name, name)}`", section):
                misplaced.append(f"{group}: {name}")

    assert misplaced == []


def _module(path: str) -> Path:
    return ROOT / path if path.startswith("shared/") else ROOT / "backend/src/vision_api" / path


def test_every_constant_of_the_table_exists() -> None:
    """The tables of docs/configuration.md name a module, of the backend if no project is named, and constants in it."""
    rows = re.findall(
        r"^\| `([\w/]+\.py)` ((?:`\w+`(?:, )?)+)", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE
    )
    missing = [
        f"{path}: {name}"
        for path, names in rows
        for name in re.findall(r"\w+", names)
        if not re.search(rf"^{name}\b.* = ", _module(path).read_text(), re.MULTILINE)
    ]

    assert len(rows) > 40
    assert missing == []


@pytest.mark.parametrize("service", sorted(path.name for path in (ROOT / "services").iterdir() if path.is_dir()))
def test_every_module_in_a_services_table_exists(service: str) -> None:
    page = (ROOT / "services" / service / "README.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([\w/]+(?:\.py|/))`", row)]

    assert named
    assert [name for name in named if not (ROOT / f"services/{service}/src/{service}_service" / name).exists()] == []
