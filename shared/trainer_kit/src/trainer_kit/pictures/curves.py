"""Line plots: metrics by epoch, precision and recall, F1 by score, and calibration."""

# matplotlib does not type its keyword arguments.
# pyright: basic

import math
from collections.abc import Iterable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from trainer_kit.evaluation import History
from trainer_kit.pictures.style import BLUE, DASHES, GREY, LINES, ORANGE, VERMILION, new_figure, short
from vision_contracts import Curve, SplitEvaluation, metric_names

MOST_NAMED = 7
"""Limit of the lines with a colour and a name; of more, the best and the worst have them and the others are grey."""

_LOSSES = {metric_names.TRAIN_LOSS: "training", metric_names.VAL_LOSS: "validation"}
_METRICS = {
    metric_names.VAL_ACCURACY: "accuracy",
    metric_names.VAL_MAP50_95: "mAP 50-95",
    metric_names.VAL_MAP50: "mAP 50",
    metric_names.VAL_MIOU: "mIoU",
}


def draw_learning(history: History) -> Figure:
    """Draw losses and metrics by epoch, with the best epoch marked."""
    figure = new_figure(9.5, 3.6)
    losses, metrics = figure.subplots(1, 2)
    _draw_series(losses, history, _LOSSES)
    _draw_series(metrics, history, _METRICS)
    losses.set_title("Loss")
    losses.set_ylim(bottom=0)
    best = history.best[history.primary_metric]
    metrics.set_title(f"Validation: best in epoch {history.best_epoch}, with {best:.3f}")
    metrics.set_ylim(0, 1.02)
    for axes in (losses, metrics):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(visible=True)
        if axes.lines:
            axes.legend()
        axes.axvline(history.best_epoch, color=GREY, linewidth=1, linestyle=":")
    return figure


def _draw_series(axes: Axes, history: History, names: dict[str, str]) -> None:
    present = [name for name in names if any(name in values for values in history.epochs.values())]
    for index, name in enumerate(present):
        points = [(epoch, values[name]) for epoch, values in sorted(history.epochs.items()) if name in values]
        marker = "o" if len(points) <= 30 else ""
        x, y = zip(*points, strict=True)
        axes.plot(x, y, color=LINES[index], linestyle=DASHES[index], marker=marker, markersize=3, label=names[name])


def draw_precision_recall(evaluation: SplitEvaluation) -> Figure:
    """Draw precision by recall of each class, at an overlap of 0.5."""
    precisions = {one.name: one.values.get("map50") for one in evaluation.classes}
    figure = _draw_by_class(evaluation, "precision_recall", precisions, "AP 50")
    axes = figure.axes[0]
    axes.set_title(f"Precision and recall: mAP 50 is {_number(evaluation.values.get('map50'))}")
    axes.set_xlabel("recall: share of the labelled objects that are found")
    axes.set_ylabel("precision: share of the detections that are correct")
    return figure


def draw_f1(evaluation: SplitEvaluation) -> Figure:
    """Draw F1 by score threshold, of each class and the mean of all."""
    figure = _draw_by_class(
        evaluation, "f1_confidence", {one.name: one.values.get("f1") for one in evaluation.classes}, "F1"
    )
    axes = figure.axes[0]
    best = evaluation.values.get("best_score")
    for curve in _curves(evaluation, "f1_confidence"):
        if curve.class_name is None:
            axes.plot(curve.x, _heights(curve), color="black", linewidth=2.4, label="mean of all classes")
    if best is not None:
        axes.axvline(best, color=GREY, linewidth=1, linestyle=":")
    axes.set_title(f"F1 by score: best at {_number(best, 2)}, where it is {_number(evaluation.values.get('f1'))}")
    axes.set_xlabel("score threshold")
    axes.set_ylabel("F1")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _draw_by_class(evaluation: SplitEvaluation, name: str, values: dict[str, float | None], legend: str) -> Figure:
    figure = new_figure(7.5, 4.4)
    axes = figure.subplots()
    curves = [curve for curve in _curves(evaluation, name) if curve.class_name is not None]
    named = _outstanding([curve.class_name or "" for curve in curves], values)
    for curve in curves:
        if curve.class_name not in named:
            axes.plot(curve.x, _heights(curve), color=GREY, linewidth=0.6, alpha=0.35)
    for index, class_name in enumerate(named):
        curve = next(curve for curve in curves if curve.class_name == class_name)
        label = f"{short(class_name)}: {_number(values.get(class_name))}"
        style = DASHES[index % len(DASHES)]
        axes.plot(
            curve.x, _heights(curve), color=LINES[index % len(LINES)], linestyle=style, linewidth=1.6, label=label
        )
    if len(named) < len(curves):
        axes.plot([], [], color=GREY, alpha=0.5, label=f"{len(curves) - len(named)} other classes")
    axes.set_xlim(0, 1.01)
    axes.set_ylim(0, 1.02)
    axes.grid(visible=True)
    if axes.lines:
        axes.legend(title=legend, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _outstanding(names: Sequence[str], values: dict[str, float | None]) -> list[str]:
    """Return all names if they are few, else those of the best three and of the worst three."""
    ordered = sorted(names, key=lambda name: -(values.get(name) or 0.0))
    return ordered if len(ordered) <= MOST_NAMED else [*ordered[:3], *ordered[-3:]]


def draw_calibration(evaluation: SplitEvaluation) -> Figure:
    """Draw accuracy by confidence, and a histogram of confidence."""
    figure = new_figure(5.2, 5.0)
    curve = next(iter(_curves(evaluation, "calibration")))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="perfect calibration")
    above.plot(curve.x, _heights(curve), color=BLUE, marker="o", markersize=5, label="this model")
    above.fill_between(curve.x, curve.x, _heights(curve), color=ORANGE, alpha=0.25, linewidth=0)
    error = evaluation.values.get("expected_calibration_error")
    above.set_title(f"Calibration: expected error {_number(error)}")
    above.set_ylabel("accuracy")
    above.set_ylim(0, 1.02)
    above.legend(loc="upper left")
    below.bar(curve.x, curve.counts or [], width=0.045, color=BLUE)
    below.set_xlim(0, 1.01)
    below.set_xlabel("confidence")
    below.set_ylabel("images")
    for axes in (above, below):
        axes.grid(visible=True)
    accuracy = evaluation.values.get("accuracy")
    if accuracy is not None:
        above.axhline(accuracy, color=VERMILION, linewidth=1, linestyle=":")
        above.text(0.01, accuracy, f"accuracy {accuracy:.3f}", color=VERMILION, va="bottom", fontsize=8)
    return figure


def _curves(evaluation: SplitEvaluation, name: str) -> Iterable[Curve]:
    return (curve for curve in evaluation.curves if curve.name == name)


def _heights(curve: Curve) -> list[float]:
    """Return the values of y, with NaN, which leaves a gap, for undefined ones."""
    return [math.nan if value is None else value for value in curve.y]


def _number(value: float | None, digits: int = 3) -> str:
    return "unknown" if value is None or math.isnan(value) else f"{value:.{digits}f}"
