"""Number of processes that read images."""

import os

import pytest

from trainer_kit.trainer.workers import choose_workers


def test_the_cpu_reads_images_itself_by_default() -> None:
    assert choose_workers("auto", "cpu") == 0
    assert choose_workers(3, "cpu") == 3


def test_processes_that_train_together_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert choose_workers("auto", "cuda") == 8
    assert choose_workers("auto", "cuda", processes=3) == 4
    assert choose_workers("auto", "cuda", processes=24) == 1
