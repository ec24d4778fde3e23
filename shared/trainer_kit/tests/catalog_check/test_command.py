"""Every card is tried once, within limits, and its result is written."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trainer_kit.catalog_check import check_command
from trainer_kit.catalog_check.page import write_page
from trainer_kit.catalog_check.results import Outcome, Result, read_results
from trainer_kit.testing import fake_train
from trainer_kit.testing.fake_adapter import ADAPTER_PATH, adapter
from vision_contracts import ModelCard

CARDS = ("linear", "hub/linear")


def params_of(card: ModelCard) -> int:
    return card.params


def check(
    output: Path, *options: str, count_parameters: Callable[[ModelCard], int] = params_of
) -> tuple[int, list[Result]]:
    code = check_command(ADAPTER_PATH, count_parameters, ["--output", str(output), "--processes", "2", *options])
    return code, list(read_results(output / "fake.jsonl").values())


@pytest.fixture
def misbehaviour(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Install an action that the trainer runs after each step, instead of returning its loss."""

    def install(action: Callable[[], object]) -> None:
        monkeypatch.setattr(fake_train, "misbehave", lambda *_: action())

    return install


def test_every_card_trains_once_and_is_not_tried_again(tmp_path: Path) -> None:
    code, results = check(tmp_path)

    assert code == 0
    assert {result.model_name for result in results} == set(CARDS)
    assert {(result.outcome, result.image_size) for result in results} == {(Outcome.TRAINED, 1)}
    assert all(result.train_loss for result in results)
    written = (tmp_path / "fake.jsonl").read_bytes()
    assert check(tmp_path) == (0, results)
    assert (tmp_path / "fake.jsonl").read_bytes() == written
    assert sorted(os.listdir(tmp_path)) == ["data", "fake.jsonl"]


def test_a_card_with_an_incomplete_result_is_tried_again(tmp_path: Path) -> None:
    _, results = check(tmp_path)
    file = tmp_path / "fake.jsonl"
    file.write_text(file.read_text()[:-20])

    _, again = check(tmp_path)

    assert {result.key for result in again} == {result.key for result in results}


@pytest.mark.parametrize(
    ("action", "options", "reason"),
    [
        (fake_train.crash, (), "ValueError: the wheels came off"),
        (fake_train.exit_without_message, (), "ended with exit code 3"),
        (fake_train.hang, ("--timeout-seconds", "0.3"), "more than 0 s"),
        (lambda: float("nan"), (), "nan_loss"),
    ],
)
def test_a_failed_trial_is_recorded_and_fails_the_command(
    tmp_path: Path, misbehaviour: Any, action: Callable[[], object], options: tuple[str, ...], reason: str
) -> None:
    misbehaviour(action)

    code, results = check(tmp_path, *options)

    assert code == 1
    assert [result.outcome for result in results] == [Outcome.FAILED] * 2
    assert all(reason in result.reason for result in results)


@pytest.mark.parametrize(("difference", "outcome"), [(0, Outcome.META_ONLY), (1, Outcome.FAILED)])
def test_a_card_that_is_too_large_is_built_without_memory(tmp_path: Path, difference: int, outcome: Outcome) -> None:
    _, results = check(tmp_path, "--memory-gib", "0.5", count_parameters=lambda card: card.params + difference)

    assert {result.outcome for result in results} == {outcome}


def test_the_page_counts_the_results(tmp_path: Path) -> None:
    check(tmp_path, "--only", "hub/")

    page = write_page([adapter.catalog_file], tmp_path)

    assert "**1 of 2 cards have taken a training step.**" in page
    assert "| fake | 0.1.0 | 2 | 1 | 0 | 0 | 0 | 1 |" in page
