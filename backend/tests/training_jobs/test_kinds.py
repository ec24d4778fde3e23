"""The table of kinds: each kind has its rules, and statements use them in a form that indexes serve."""

from typing import get_args

from sqlalchemy.dialects import postgresql, sqlite

from vision_api.training_jobs.kinds import KIND_RULES, Action, is_experiment, is_preflight
from vision_contracts import JobKind


def test_every_kind_has_rules() -> None:
    assert set(KIND_RULES) == set(JobKind)


def test_one_kind_is_the_experiment_and_everything_may_be_done_with_it() -> None:
    experiments = {kind: rules for kind, rules in KIND_RULES.items() if rules.is_experiment}

    assert set(experiments) == {JobKind.TRAIN}
    assert experiments[JobKind.TRAIN].actions == set(get_args(Action))
    assert experiments[JobKind.TRAIN].kept is None


def test_an_operation_can_be_stopped_and_deleted_alone() -> None:
    operations = [rules for rules in KIND_RULES.values() if not rules.is_experiment]

    assert all(rules.actions == {"stopped", "deleted"} for rules in operations)


def test_results_go_to_an_experiment_that_there_is() -> None:
    assert all(rules.has_parent for rules in KIND_RULES.values() if rules.gives_results_to_parent)


def test_a_condition_that_one_kind_meets_is_an_equality() -> None:
    for condition, kind in ((is_experiment(), "train"), (is_preflight(), "preflight")):
        for dialect in (sqlite.dialect(), postgresql.dialect()):
            compiled = condition.compile(dialect=dialect)

            assert " = " in str(compiled)
            assert list(compiled.params.values()) == [kind]
