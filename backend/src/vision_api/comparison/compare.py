"""Settings, metrics, curves and classes of several experiments, in one order: pure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Literal

from vision_api.comparison.compared_job import ComparedJob, finite
from vision_api.comparison.schemas import (
    ComparedClass,
    ComparedClasses,
    ComparedCurve,
    ComparedMetric,
    ComparedSeries,
    ComparedSettings,
    DifferentSetting,
    EpochPoint,
    EqualSetting,
)
from vision_api.training_jobs.resolution.hyperparameters import fill_in_defaults
from vision_api.training_jobs.settings import TRAINING_SETTINGS
from vision_contracts import ClassEvaluation, metric_names

SETTINGS = (
    "framework", "model_name", "task_type", "dataset_id", "dataset_version", "dataset_digest", "dataset_path",
    "validation_split", *TRAINING_SETTINGS, "timeout_seconds",
)  # fmt: skip
MAIN_OF_CLASS = ("map50_95", "iou", "f1")
"""Metrics that order the classes: the first one that a report has."""
LOWER_IS_BETTER = frozenset({"loss", "expected_calibration_error"})
NEITHER = frozenset({"best_score"})


def compare_settings(compared_jobs: Sequence[ComparedJob]) -> ComparedSettings:
    """Split the settings into those that are equal in all experiments and those that differ."""
    settings = [_settings(compared_job) for compared_job in compared_jobs]
    equal: list[EqualSetting] = []
    different: list[DifferentSetting] = []
    for name in _names(settings):
        values = [each.get(name) for each in settings]
        if all(value == values[0] for value in values):
            equal.append(EqualSetting(name=name, value=values[0]))
        else:
            different.append(DifferentSetting(name=name, values=values))
    return ComparedSettings(equal=equal, different=different)


def _settings(compared_job: ComparedJob) -> dict[str, Any]:
    """Return the settings as a flat dictionary. Hyperparameters that were not given have the card's defaults."""
    job = compared_job.job
    hyperparameters = fill_in_defaults(compared_job.card, job.hyperparameters)
    environment = job.environment or {}
    versions: Mapping[str, str] = environment.get("versions", {})
    return (
        {name: getattr(job, name) for name in SETTINGS}
        | {f"hyperparameters.{name}": value for name, value in hyperparameters.items()}
        | {f"environment.{name}": environment.get(name) for name in ("device", "platform")}
        | {f"environment.versions.{name}": version for name, version in versions.items()}
    )


def compare_metrics(compared_jobs: Sequence[ComparedJob]) -> list[ComparedMetric]:
    """Compare the metrics of the best checkpoints: the report's values, or else those that the training reported."""
    reports = [_report_values(compared_job) for compared_job in compared_jobs]
    trainings = [
        {name: value for name, value in compared_job.best_values.items() if name.startswith("val/")}
        for compared_job in compared_jobs
    ]
    return [
        ComparedMetric(
            name=name,
            direction=_direction(name),
            values=[finite(own[0].get(name, own[1].get(name))) for own in zip(reports, trainings, strict=True)],
            sources=[_source(name, *own) for own in zip(reports, trainings, strict=True)],
        )
        for name in _names([*trainings, *reports])
    ]


def _report_values(compared_job: ComparedJob) -> dict[str, float | None]:
    report = compared_job.report.report
    splits = report.splits.items() if report is not None else ()
    return {f"{split}/{name}": value for split, found in splits for name, value in found.values.items()}


def _direction(name: str) -> Literal["max", "min"] | None:
    last = name.rpartition("/")[2]
    return None if last in NEITHER else "min" if last in LOWER_IS_BETTER else "max"


def _source(name: str, report: Mapping[str, Any], training: Mapping[str, Any]) -> Literal["report", "training"] | None:
    return "report" if name in report else "training" if name in training else None


def compare_curves(compared_jobs: Sequence[ComparedJob], names: Sequence[str]) -> list[ComparedCurve]:
    """Return the curves of these names, or without names those that at least two experiments have."""
    series: dict[str, list[ComparedSeries]] = {}
    for compared_job in compared_jobs:
        steps = compared_job.steps_per_epoch
        for name, points in groupby(compared_job.points, key=lambda point: point.name):
            drawn = [_on_axis(point, steps) for point in points]
            series.setdefault(name, []).append(ComparedSeries(job_id=compared_job.job.id, points=drawn))
    return [
        ComparedCurve(name=name, unit=metric_names.UNITS.get(name), series=series[name])
        for name in sorted(series)
        if (name in names if names else len(series[name]) > 1)
    ]


def _on_axis(point: Any, steps_per_epoch: float | None) -> EpochPoint:
    x = point.step / steps_per_epoch if steps_per_epoch else float(point.epoch)
    return EpochPoint(x=round(x, 4), step=point.step, value=point.value)


def compare_classes(compared_jobs: Sequence[ComparedJob], split: str) -> ComparedClasses:
    """Compare every class that any report has, the largest differences first."""
    reports = [compared_job.report.report for compared_job in compared_jobs]
    classes = [
        {found.name: found for found in report.splits[split].classes} if report and split in report.splits else {}
        for report in reports
    ]
    metrics = _names([found.values for own in classes for found in own.values()])
    main = next((name for name in MAIN_OF_CLASS if name in metrics), None)
    compared = [_compare_class(name, [own.get(name) for own in classes], metrics, main) for name in _names(classes)]
    compared.sort(key=lambda each: -1.0 if each.spread is None else each.spread, reverse=True)
    return ComparedClasses(split=split, metric=main, classes=compared)


def _compare_class(
    name: str, found: Sequence[ClassEvaluation | None], metrics: Sequence[str], main: str | None
) -> ComparedClass:
    values = {metric: [finite(each.values.get(metric)) if each else None for each in found] for metric in metrics}
    known = [value for value in values.get(main or "", ()) if value is not None]
    return ComparedClass(
        name=name,
        support=[each.support if each else None for each in found],
        values=values,
        spread=max(known) - min(known) if len(known) > 1 else None,
    )


def _names(many: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return every key once, in the order of first appearance."""
    return list(dict.fromkeys(name for each in many for name in each))
