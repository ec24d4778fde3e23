"""A short performance of `make chaos`: every kind of kill once, and a few chosen moments."""

import sys
from pathlib import Path

import pytest

from faults.chaos import KINDS, Script, play

MOMENTS = (
    "an attempt is taken on, its answer is lost",
    "a checkpoint is stored, and not told",
    "a commit is done, and not answered",
)


@pytest.mark.thorough
def test_nothing_is_lost_doubled_or_stuck_whatever_dies(tmp_path: Path) -> None:
    report = play(
        tmp_path, Script(seed=1, each_kind=1, moments=MOMENTS, alone=0, jobs_of_a_framework=1), sys.stdout.write
    )
    assert report.complaints == []
    assert set(report.kills.counts) == set(KINDS)
    assert set(report.kills.moments) == set(MOMENTS)
