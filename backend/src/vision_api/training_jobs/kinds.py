"""The table of the kinds of jobs: what follows from a kind. Nothing else compares kinds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, get_args

from sqlalchemy import ColumnElement

from vision_api.models import TrainingJob
from vision_contracts import JobKind

Action = Literal[
    "started", "stopped", "paused", "resumed", "retried", "extended", "changed", "cloned", "forked", "deleted",
    "trimmed", "compared", "registered", "described", "used again",
]  # fmt: skip
"""Action of a user on a job, as a message says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRules:
    """All that follows from a job's kind."""

    is_experiment: bool
    """True if it is listed and counted as an experiment, and its scores are the experiment's."""
    has_parent: bool
    """True if it is an operation on an experiment, with which it is deleted."""
    gives_results_to_parent: bool
    """True if its artifacts are listed under its experiment, other than its log."""
    has_predictions: bool
    """True if its answer has the predictions of its images."""
    kept: timedelta | None
    """Time for which it is kept after its end: its answer is read once. None: until a user deletes it."""
    actions: frozenset[Action]


_EVERY_ACTION: frozenset[Action] = frozenset(get_args(Action))
_OF_AN_OPERATION: frozenset[Action] = frozenset({"stopped", "deleted"})

KIND_RULES: Mapping[JobKind, KindRules] = {
    JobKind.TRAIN: KindRules(
        is_experiment=True,
        has_parent=False,
        gives_results_to_parent=False,
        has_predictions=False,
        kept=None,
        actions=_EVERY_ACTION,
    ),
    JobKind.PREDICT: KindRules(
        is_experiment=False,
        has_parent=True,
        gives_results_to_parent=False,
        has_predictions=True,
        kept=timedelta(days=1),
        actions=_OF_AN_OPERATION,
    ),
    JobKind.EXPORT: KindRules(
        is_experiment=False,
        has_parent=True,
        gives_results_to_parent=True,
        has_predictions=False,
        kept=None,
        actions=_OF_AN_OPERATION,
    ),
    JobKind.EVALUATE: KindRules(
        is_experiment=False,
        has_parent=True,
        gives_results_to_parent=True,
        has_predictions=False,
        kept=None,
        actions=_OF_AN_OPERATION,
    ),
    JobKind.PREFLIGHT: KindRules(
        is_experiment=False,
        has_parent=False,
        gives_results_to_parent=False,
        has_predictions=False,
        kept=timedelta(days=1),
        actions=_OF_AN_OPERATION,
    ),
}


def rules_of(job: TrainingJob) -> KindRules:
    """Return what follows from a job's kind."""
    return KIND_RULES[JobKind(job.kind)]


def is_experiment(job: type[TrainingJob] = TrainingJob) -> ColumnElement[bool]:
    """Return the condition that a row is an experiment."""
    return _is_of_kind(job, lambda rules: rules.is_experiment)


def is_preflight(job: type[TrainingJob] = TrainingJob) -> ColumnElement[bool]:
    """Return the condition that a row is an operation without an experiment."""
    return _is_of_kind(job, lambda rules: not rules.is_experiment and not rules.has_parent)


def _is_of_kind(job: type[TrainingJob], accepts: Callable[[KindRules], bool]) -> ColumnElement[bool]:
    """Return the condition that a row's kind has rules that are accepted: an equality where one kind has them, with
    which an index of the project, the kind and the id gives the rows in the order of a list.
    """
    kinds = [kind for kind, rules in KIND_RULES.items() if accepts(rules)]
    return job.kind == kinds[0] if len(kinds) == 1 else job.kind.in_(kinds)
