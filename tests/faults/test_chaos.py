"""A short version of `make chaos`: every kind of kill once, and a few kill points."""

import sys
from pathlib import Path

import pytest

from faults.chaos import KINDS, ChaosPlan, run_chaos

KILL_POINTS = (
    "an attempt is accepted, its answer is lost",
    "a checkpoint is stored, its event is not",
    "a commit is done, and not answered",
)


@pytest.mark.idle
def test_nothing_is_lost_doubled_or_stuck_whatever_dies(tmp_path: Path) -> None:
    plan = ChaosPlan(seed=1, each_kind=1, kill_points=KILL_POINTS, alone=0, jobs_of_a_framework=1)
    report = run_chaos(tmp_path, plan, sys.stdout.write)
    assert report.violations == []
    assert set(report.kills.counts) == set(KINDS)
    assert set(report.kills.kill_points) == set(KILL_POINTS)
