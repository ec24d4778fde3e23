"""Rows and table of the benchmark report."""

import json
import operator
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

COMPARE = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True)
class Row:
    """A comparison: `ours` and `peer` are medians of rounds taken in turn, `ratio` the median of the rounds' ratios."""

    name: str
    peer_name: str
    ours: float
    peer: float
    ratio: float
    target: str
    unit: str

    @property
    def meets_target(self) -> bool:
        return COMPARE[self.target[:2]](self.ratio, float(self.target[2:]))


def compare(
    name: str, ours: Callable[[], float], peer_name: str, peer: Callable[[], float],
    *, target: str, unit: str, rounds: int = 5,
) -> Row:  # fmt: skip
    """Measure both in turn, so that a drift of the machine affects both alike. The first round is a warm-up."""
    pairs = [(ours(), peer()) for _ in range(rounds + 1)][1:]
    return Row(
        name, peer_name, statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs), target, unit,
    )  # fmt: skip


def write(rows: list[Row], path: Path) -> str:
    """Write the rows as JSON; returns them as a text table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    lines = [f"{'what':44} {'ours':>10} {'peer':>10} {'unit':8} {'ratio':>7}  target  against"]
    for row in rows:
        mark = "" if row.meets_target else "   MISSED"
        lines.append(
            f"{row.name:44} {row.ours:10.3g} {row.peer:10.3g} {row.unit:8} {row.ratio:7.3f}  {row.target:6}"
            f"  {row.peer_name}{mark}"
        )
    return "\n".join(lines)
