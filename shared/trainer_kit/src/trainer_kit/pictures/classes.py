"""Plots by class: the confusion matrix, and one metric of each class."""

# matplotlib does not type its keyword arguments.
# pyright: basic

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from trainer_kit.pictures.style import BLUE, GREY, HEAT, ORANGE, VERMILION, new_figure, short, shorten
from vision_contracts import SplitEvaluation

MOST_WITH_NUMBERS = 12
MOST_WITH_NAMES = 40
MOST_CONFUSIONS = 12
MOST_BARS = 40
"""Limit of the bars: of more classes, the worst and the best get one."""


def draw_confusion(evaluation: SplitEvaluation) -> Figure:
    """Draw the confusion matrix. Rows are labels, as shares that sum to 1; a list has the most frequent confusions."""
    labels = evaluation.confusion.labels
    counts = np.array(evaluation.confusion.counts, dtype=np.float64)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = min(9.0, max(4.0, 2.2 + 0.42 * len(labels)))
    with_list = len(labels) > 2
    figure = new_figure(size + (4.2 if with_list else 1.2), size + (0.6 if len(labels) <= MOST_WITH_NAMES else 0))
    grid = figure.add_gridspec(1, 2 if with_list else 1, width_ratios=(size, 3.6) if with_list else (1,))
    axes = figure.add_subplot(grid[0, 0])
    image = axes.imshow(shares, cmap=HEAT, norm=Normalize(0, 1), aspect="equal", interpolation="nearest")
    figure.colorbar(image, ax=axes, shrink=0.6, label="share of the label")
    axes.spines[:].set_visible(False)
    axes.set_title("Confusion matrix")
    axes.set_xlabel("predicted")
    axes.set_ylabel("labelled")
    _name_cells(axes, labels)
    if len(labels) <= MOST_WITH_NUMBERS:
        _number_cells(axes, counts, shares)
    if with_list:
        _list_confusions(figure.add_subplot(grid[0, 1]), labels, counts, inches=size)
    return figure


def _name_cells(axes: Axes, labels: list[str]) -> None:
    if len(labels) > MOST_WITH_NAMES:
        axes.set_xlabel(f"predicted: classes 1 to {len(labels)}, in the order of the data set")
        return
    names, size = shorten(labels, 16), 9 if len(labels) <= 20 else 6
    axes.set_xticks(range(len(labels)), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=size)
    axes.set_yticks(range(len(labels)), names, fontsize=size)


def _number_cells(axes: Axes, counts: NDArray[np.float64], shares: NDArray[np.float64]) -> None:
    for row, column in np.argwhere(counts > 0).tolist():
        color = "white" if shares[row, column] > 0.55 else "black"
        share = shares[row, column]
        text = f"{_count(counts[row, column])}\n{'<1%' if share < 0.005 else f'{share:.0%}'}"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=7 if len(counts) > 6 else 8)


def _count(number: float) -> str:
    """Format a count, which may be of pixels: 33k, 1.9M."""
    if number < 10_000:
        return f"{number:,.0f}"
    return f"{number / 1000:,.0f}k" if number < 1_000_000 else f"{number / 1_000_000:,.1f}M"


def _list_confusions(axes: Axes, labels: list[str], counts: NDArray[np.float64], inches: float) -> None:
    axes.axis("off")
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = [(int(index) // len(labels), int(index) % len(labels)) for index in order]
    shown = [(row, column) for row, column in pairs if wrong[row, column] > 0]
    axes.set_title("Mistakes: label → prediction" if shown else "No mistakes", loc="left")
    for line, (row, column) in enumerate(shown):
        height = 0.97 - 0.28 * line / inches
        axes.text(0.10, height, f"{counts[row, column]:,.0f}", ha="right", transform=axes.transAxes)
        axes.text(0.14, height, f"{short(labels[row], 18)} → {short(labels[column], 18)}", transform=axes.transAxes)


def draw_classes(evaluation: SplitEvaluation, metric: str, title: str) -> Figure:
    """Draw a bar for each class, the worst first, with the metric and the number of its labels."""
    known = [one for one in evaluation.classes if one.support and one.values.get(metric) is not None]
    ordered = sorted(known, key=lambda one: one.values[metric] or 0.0)
    left_out = max(0, len(ordered) - MOST_BARS)
    shown = ordered if not left_out else [*ordered[: MOST_BARS // 2], *ordered[-MOST_BARS // 2 :]]
    figure = new_figure(7.0, 1.3 + 0.2 * max(3, len(shown)))
    axes = figure.subplots()
    values = [one.values[metric] or 0.0 for one in shown]
    mean = float(np.mean([one.values[metric] or 0.0 for one in known])) if known else 0.0
    colors = [VERMILION if value < mean / 2 else ORANGE if value < mean else BLUE for value in values]
    axes.barh(range(len(shown)), values, color=colors, height=0.72)
    axes.set_yticks(range(len(shown)), [short(one.name) for one in shown], fontsize=8)
    for row, (one, value) in enumerate(zip(shown, values, strict=True)):
        axes.text(value + 0.01, row, f"{value:.2f}  ({one.support:,})", va="center", fontsize=7)
    axes.invert_yaxis()
    axes.axvline(mean, color=GREY, linestyle=":", linewidth=1)
    axes.set_xlim(0, 1.14)
    axes.grid(visible=True, axis="x")
    axes.margins(y=0.01)
    more = f"\nthe worst and the best; {left_out} between them are left out" if left_out else ""
    axes.set_title(f"{title} of each class, with its number of labels; mean {mean:.3f}{more}", fontsize=9)
    if left_out:
        axes.axhline(MOST_BARS / 2 - 0.5, color=GREY, linewidth=0.8)
    return figure
