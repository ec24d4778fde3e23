"""The page docs/frameworks.md."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from platform_under_test import ROOT

from quality.runs import Run

PAGE = ROOT / "docs" / "frameworks.md"

HEAD = """# Training quality

Each framework and task on real data, once through the platform's trainer and once by a plain script of the framework's
own tools with the same settings (`tests/quality/bare_scripts`), one after the other on one core. The result is the best
epoch's; of several seeds the mean, with the lowest and the highest, and how far the two sides are apart, with the
standard error of the difference. These trainings are short, for a machine without a GPU: they compare the sides, and
say little about the best result of a model. A single seed on small data scatters by several points. Weights are random
unless the model is called pretrained.

Made by `cd tests && .venv/bin/python -m quality FOLDER`, where FOLDER holds the data sets by name; pretrained models
need `--weights`, a folder that `tests/quality/weights.py` makes. Seconds are those of all epochs, training and
validation; in brackets with start and imports. The machine was also used otherwise, so they do not measure speed:
`make bench` does.

| framework | task | model | data | epochs | px | metric | seeds | platform | script | apart | platform, s | script, s |
|---|---|---|---|--:|--:|---|--:|--:|--:|--:|--:|--:|
"""


@dataclass(frozen=True)
class Side:
    """Result of training a run one way."""

    value: float
    seconds: float
    epochs_seconds: float


def write_page(results: Mapping[tuple[str, str], Side]) -> None:
    """Write the runs that were trained both ways. Keys are a run's JSON and `ours` or `bare`."""
    rows: dict[str, list[tuple[Side, Side]]] = defaultdict(list)
    for key, side in results:
        if side == "ours" and (key, "bare") in results:
            whatever_seed = json.dumps(json.loads(key) | {"seed": 0})
            rows[whatever_seed].append((results[key, "ours"], results[key, "bare"]))
    table = sorted(((Run(**json.loads(key)), sides) for key, sides in rows.items()), key=lambda row: row[0].name)
    PAGE.write_text(HEAD + "".join(_row(*row) for row in table))


def _row(run: Run, sides: Sequence[tuple[Side, Side]]) -> str:
    ours, bare = zip(*sides, strict=True)
    weights = ", pretrained" if run.pretrained else ""
    return (
        f"| {run.framework} | {run.task_type} | `{run.model}`{weights} | {run.dataset} "
        f"| {run.epochs} | {run.image_size} | {run.metric} | {len(sides)} "
        f"| {_value(ours)} | {_value(bare)} | {_difference(sides)} | {_seconds(ours)} | {_seconds(bare)} |\n"
    )


def _value(sides: Sequence[Side]) -> str:
    values = [side.value for side in sides]
    spread = f" ({min(values):.3f} to {max(values):.3f})" if len(values) > 1 else ""
    return f"{mean(values):.3f}{spread}"


def _difference(sides: Sequence[tuple[Side, Side]]) -> str:
    differences = [ours.value - bare.value for ours, bare in sides]
    error = f" ± {stdev(differences) / len(differences) ** 0.5:.3f}" if len(differences) > 1 else ""
    return f"{mean(differences):+.3f}{error}"


def _seconds(sides: Sequence[Side]) -> str:
    return f"{mean(side.epochs_seconds for side in sides):.0f} ({mean(side.seconds for side in sides):.0f})"
