"""`python -m <service>.catalog_check`, a trial of every card, in processes forked from one that has imported all."""

import argparse
import math
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psutil

from trainer_kit.catalog import load_catalog
from trainer_kit.catalog_check.bounded import BoundedTrial
from trainer_kit.catalog_check.results import Outcome, Result, append_results, read_results
from trainer_kit.catalog_check.samples import write_samples
from trainer_kit.catalog_check.trial import Trial
from trainer_kit.imports import import_adapter
from trainer_kit.warm.parent import warm_up
from vision_contracts import ModelCard

POLL_SECONDS = 0.1


def check_command(
    adapter_path: str, count_parameters: Callable[[ModelCard], int], arguments: list[str] | None = None
) -> int:
    """Try every card that has no result of this version of the framework yet, and append the results to
    `<output>/<framework>.jsonl`. Return the exit code: 1 if a card cannot be trained.

    `count_parameters` builds a card's network on the meta device and returns the number of its parameters. The
    framework must not be imported before this is called, since the import fixes its number of threads.
    """
    options = _parse(arguments)
    signal.signal(signal.SIGTERM, _end)
    output = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    framework = import_adapter(adapter_path).framework
    results = output / f"{framework}.jsonl"
    if options.fresh:
        results.unlink(missing_ok=True)
    trials = _open_trials(adapter_path, output, results, options)
    work = output / f".{framework}-{os.getpid()}"
    work.mkdir()
    try:
        with chdir(work):  # the libraries keep their settings where they are imported
            _warm_up(adapter_path)
        start = BoundedTrial.starter(work, count_parameters, int(options.memory_gib * 2**30), options.timeout_seconds)
        found = _run_all(trials, start, options.processes, results)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return int(bool(found & {Outcome.FAILED, Outcome.REFUSED}))


def _end(signal_number: int, _: FrameType | None) -> NoReturn:
    """Exit on SIGTERM, which ends the trials too."""
    sys.exit(128 + signal_number)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    cores = os.cpu_count() or 1
    parser = argparse.ArgumentParser(description="Takes a training step with every card of the catalogue.")
    parser.add_argument("--output", type=Path, required=True, help="folder of the results; cards with one are skipped")
    parser.add_argument("--processes", type=int, default=cores, help="number of concurrent trials")
    parser.add_argument("--memory-gib", type=float, help="limit of one trial; by default its share of half the memory")
    parser.add_argument("--timeout-seconds", type=float, default=600, help="limit of one trial")
    parser.add_argument("--max-params", type=float, help="skip cards with more parameters")
    parser.add_argument("--only", help="try only cards whose name contains this")
    parser.add_argument("--fresh", action="store_true", help="delete earlier results first")
    options = parser.parse_args(arguments)
    options.memory_gib = options.memory_gib or psutil.virtual_memory().total / 2**31 / options.processes
    return options


def _open_trials(adapter_path: str, output: Path, results: Path, options: argparse.Namespace) -> list[Trial]:
    """Trials of the selected cards that have no result yet, the smallest card first."""
    catalog = load_catalog(import_adapter(adapter_path).catalog_file)
    version = catalog.models.framework_version
    done = {key for key, result in read_results(results).items() if result.framework_version == version}
    selected = [
        card for card in sorted(catalog.models.models, key=lambda card: card.params)
        if card.params <= (options.max_params or math.inf) and (options.only or "") in card.model_name
    ]  # fmt: skip
    return [
        Trial(
            adapter_path, version, card, catalog.models.schemas[card.hyperparameters_ref], task_type,
            write_samples(output / "data", task_type),
        )
        for card in selected
        for task_type in card.task_types
        if (card.model_name, task_type) not in done
    ]  # fmt: skip


def _warm_up(adapter_path: str) -> None:
    if "torch" in sys.modules:
        raise RuntimeError("The framework is imported already, and would compute each trial on all cores.")
    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}  # one thread: a trial runs on every core
    warm_up(adapter_path)


def _run_all(
    trials: list[Trial], start: Callable[[Trial], BoundedTrial], processes: int, results: Path
) -> set[Outcome]:
    outcomes: set[Outcome] = set()
    started_at = time.monotonic()
    for count, result in enumerate(_results_of(trials, start, processes), start=1):
        append_results(results, [result])
        outcomes.add(result.outcome)
        remark = f" ({result.reason})" if result.reason else ""
        sys.stderr.write(
            f"{count}/{len(trials)} {time.monotonic() - started_at:.0f} s: {result.model_name} for "
            f"{result.task_type}: {result.outcome}{remark}\n"
        )
    return outcomes


def _results_of(trials: list[Trial], start: Callable[[Trial], BoundedTrial], processes: int) -> Iterator[Result]:
    waiting, running = list(reversed(trials)), list[BoundedTrial]()
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                running.append(start(waiting.pop()))
            time.sleep(POLL_SECONDS)
            for bounded in list(running):
                if (result := bounded.poll()) is not None:
                    running.remove(bounded)
                    yield result
    finally:
        for bounded in running:
            bounded.kill()
