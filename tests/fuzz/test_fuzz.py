"""Two minutes of fuzzing; `make test-fuzz` does more, on both databases."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from platform_under_test import ROOT
from toy_platform import Platform, with_a_folder

from fuzz.run import fuzz
from fuzz.world import World, make_world

SEED = 20261201


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = with_a_folder(tmp_path_factory.mktemp("fuzz"))
    shutil.copytree(ROOT / "samples/digits", running.datasets / "digits")
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def world(fuzzed: Platform) -> World:
    return make_world(fuzzed)


@pytest.mark.parametrize(("role", "seconds"), [("nobody", 30), ("viewer", 30), ("owner", 60)])
def test_no_request_is_answered_against_the_document(
    fuzzed: Platform, world: World, role: str, seconds: int, tmp_path: Path
) -> None:
    outcome = fuzz(fuzzed.url, world, role, seconds=seconds, seed=SEED, report_folder=tmp_path)

    assert outcome.exit_code == 0, outcome.output
    assert outcome.cases > 0, outcome.output
