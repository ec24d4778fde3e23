"""docs/frameworks.md."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from platform_under_test import ROOT

from quality.runs import Run

PAGE = ROOT / "docs" / "frameworks.md"

HEAD = """# Training quality

Each framework and task on real data, once through the platform's trainer and once by a plain script of the framework's
own tools with the same settings (`tests/quality/bare_scripts`), one after the other on one core, from random weights.
The result is the best epoch's. These trainings are kept short for a machine without a GPU: they compare the two sides,
and say little about what a model can reach. A single seed on small data scatters by several points.

Made by `cd tests && .venv/bin/python -m quality FOLDER`, where FOLDER holds the data sets by name. Seconds are those
of all epochs, training and validation; in brackets with the start, imports and all. They were taken beside other work
on the machine, and are no measure of speed: that is `make bench`.

| framework | task | model | data | epochs | px | metric | platform | bare script | platform, s | bare script, s |
|---|---|---|---|--:|--:|---|--:|--:|--:|--:|
"""


@dataclass(frozen=True)
class Side:
    """What one way of training has given."""

    value: float
    seconds: float
    epochs_seconds: float


def write_page(results: Mapping[tuple[str, str], Side]) -> None:
    """Runs that were trained both ways, by their JSON and `ours` or `bare`."""
    both = {key for key, side in results if (key, "ours") in results and (key, "bare") in results and side == "ours"}
    rows = [(Run(**json.loads(key)), results[key, "ours"], results[key, "bare"]) for key in both]
    rows.sort(key=lambda row: (row[0].framework, row[0].task_type, row[0].model, row[0].dataset, row[0].epochs))
    PAGE.write_text(HEAD + "".join(_row(*row) for row in rows))


def _row(run: Run, ours: Side, bare: Side) -> str:
    return (
        f"| {run.framework} | {run.task_type} | `{run.model}` | {run.dataset} | {run.epochs} | "
        f"{run.image_size} | {run.metric} | {ours.value:.3f} | {bare.value:.3f} | "
        f"{ours.epochs_seconds:.0f} ({ours.seconds:.0f}) | {bare.epochs_seconds:.0f} ({bare.seconds:.0f}) |\n"
    )
