"""Compatibility between versions: the differences that are tolerated, and those that are not."""

import json
import math
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from examples import CARD, EVENTS, MODELS, SPEC, TIME
from pydantic import ValidationError

from vision_contracts import (
    TERMINAL_TYPES,
    EndReason,
    Failed,
    HeldJob,
    JobEvent,
    JobSpec,
    Metrics,
    ModelList,
    ServiceReady,
    StopRequest,
    TrainingParams,
    format_time,
)


def test_a_newer_backend_may_add_fields_to_a_spec() -> None:
    newer = SPEC.model_dump(mode="json") | {"preflight": True}
    assert JobSpec.model_validate(newer) == SPEC


def test_a_newer_service_may_add_fields_to_an_event_and_to_an_answer() -> None:
    line = json.loads(EVENTS["event_metrics"].to_line()) | {"extra": 1}
    assert JobEvent.from_line(json.dumps(line)).body == EVENTS["event_metrics"].body
    assert HeldJob.model_validate(MODELS["held_job"].model_dump() | {"extra": 1}) == MODELS["held_job"]


def test_an_older_backend_asks_for_a_training_and_an_older_service_can_do_nothing_else() -> None:
    older = SPEC.model_dump(mode="json", exclude={"kind", "work"})
    assert JobSpec.model_validate(older) == SPEC
    ready = MODELS["service_ready"].model_dump(mode="json", exclude={"kinds"})
    assert ServiceReady.model_validate(ready).kinds == ["train"]


@pytest.mark.parametrize("kind", ["train", "export"])
def test_a_spec_whose_work_is_of_another_kind_is_refused(kind: str) -> None:
    with pytest.raises(ValidationError, match="work is of the kind predict"):
        JobSpec.model_validate(MODELS["work_spec"].model_dump() | {"kind": kind})


def test_an_older_service_proposes_nothing() -> None:
    line = '{"seq":1,"attempt":1,"time":"2026-01-31T12:00:00Z","type":"failed","reason":"out_of_memory","message":"m"}'
    body = JobEvent.from_line(line).body
    assert body == Failed(reason=EndReason.OUT_OF_MEMORY, message="m", proposed_changes=None)


@pytest.mark.parametrize("kind", ["failed", "cancelled"])
def test_a_reason_of_a_newer_service_still_ends_the_attempt(kind: str) -> None:
    line = {
        "seq": 1,
        "attempt": 1,
        "time": "2026-01-31T12:00:00Z",
        "type": kind,
        "reason": "gpu_melted",
        "message": "m",
    }
    event = JobEvent.from_line(json.dumps(line))
    assert event.is_terminal
    assert event.body.model_dump()["reason"] == EndReason.INTERNAL


@pytest.mark.parametrize(
    "line", ["{}", "[]", "no json", '{"seq":1,"attempt":1,"time":"2026-01-31T12:00:00Z","type":"new"}']
)
def test_a_line_that_is_no_event_is_a_validation_error(line: str) -> None:
    with pytest.raises(ValidationError):
        JobEvent.from_line(line)


def test_a_misspelt_field_of_a_stop_request_is_refused() -> None:
    with pytest.raises(ValidationError, match="grace"):
        StopRequest.model_validate({"attempt": 1, "grace": 1})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_null_on_the_wire(value: float) -> None:
    line = JobEvent(seq=1, attempt=1, time=TIME, body=Metrics(step=1, epoch=0, values={"lr": value})).to_line()
    assert json.loads(line)["values"] == {"lr": None}


def test_times_are_utc_with_milliseconds_whatever_zone_they_came_in() -> None:
    elsewhere = datetime(2026, 1, 31, 21, 0, 0, 123_999, tzinfo=timezone(timedelta(hours=9)))
    assert format_time(elsewhere) == "2026-01-31T12:00:00.123Z"


def test_a_time_without_a_zone_is_refused() -> None:
    line = json.loads(EVENTS["event_paused"].to_line()) | {"time": "2026-01-31T12:00:00"}
    with pytest.raises(ValidationError, match="timezone"):
        JobEvent.from_line(json.dumps(line))


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0},
        {"learning_rate": math.nan},
        {"learning_rate": math.inf},
        {"seed": -1},
        {"seed": 2**32},
        {"device": "gpu"},
        {"device": "cuda:"},
        {"device": "cuda:0\n"},
        {"num_devices": 0},
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TrainingParams.model_validate(SPEC.params.model_dump() | change)


@pytest.mark.parametrize("kind", ["predict", "export"])
def test_an_older_service_refuses_a_kind_of_job_that_it_does_not_know(kind: str) -> None:
    with pytest.raises(ValidationError, match="train"):
        JobSpec.model_validate(SPEC.model_dump(mode="json") | {"kind": kind})


def test_a_card_describes_the_named_fields_with_its_own_defaults() -> None:
    models = MODELS["model_list"]
    assert isinstance(models, ModelList)
    detail = models.detail(CARD)
    assert detail.hyperparameters["x-named-fields"] == {"epochs": {"default": 10}, "batch_size": {"default": 32}}
    assert models.schemas["base"]["x-named-fields"]["batch_size"] == {"default": 1}, "the shared schema is not changed"


@pytest.mark.parametrize("name", EVENTS)
def test_only_endings_are_terminal(name: str) -> None:
    assert EVENTS[name].is_terminal == (name.removeprefix("event_") in TERMINAL_TYPES)
