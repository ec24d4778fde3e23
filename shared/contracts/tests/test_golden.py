"""The wire, byte for byte in its meaning: a change that another version would stumble over changes a file here.

`python tests/test_golden.py` writes the files anew; look at what git says has changed.
"""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from examples import BODIES, EVENTS, MODELS
from pydantic import BaseModel

import vision_contracts
from vision_contracts import EventBody, JobEvent

GOLDEN = Path(__file__).parent / "golden"


def on_the_wire(model: BaseModel) -> Any:
    return json.loads(model.to_line() if isinstance(model, JobEvent) else model.model_dump_json())


@pytest.mark.parametrize("name", MODELS | EVENTS)
def test_a_model_is_written_as_its_golden_file_says(name: str) -> None:
    assert on_the_wire((MODELS | EVENTS)[name]) == json.loads((GOLDEN / f"{name}.json").read_text())


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_read_back_from_its_golden_file(name: str) -> None:
    model = MODELS[name]
    assert type(model).model_validate_json((GOLDEN / f"{name}.json").read_bytes()) == model


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_read_back_from_its_golden_file(name: str) -> None:
    event = JobEvent.from_line((GOLDEN / f"{name}.json").read_bytes())
    assert event.body == EVENTS[name].body
    assert event.to_line() == EVENTS[name].to_line()


def test_every_wire_model_and_every_event_type_has_a_golden_file() -> None:
    types = {type(body) for body in BODIES.values()}
    assert types == set(get_args(get_args(EventBody)[0]))
    seen: set[type[BaseModel]] = set()
    for model in [*MODELS.values(), *EVENTS.values()]:
        _collect(model, seen)
    wire_models = {
        one
        for one in vars(vision_contracts).values()
        if isinstance(one, type) and issubclass(one, BaseModel) and one.__subclasses__() == []
    }
    assert wire_models - seen == {vision_contracts.ModelDetail}, "ModelDetail is tested with the catalogue"


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(MODELS | EVENTS)


def _collect(value: object, into: set[type[BaseModel]]) -> None:
    if isinstance(value, BaseModel):
        into.add(type(value))
        for name in type(value).model_fields:
            _collect(getattr(value, name), into)
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            _collect(one, into)


if __name__ == "__main__":
    for model_name, example in (MODELS | EVENTS).items():
        text = json.dumps(on_the_wire(example), indent=2, ensure_ascii=False)
        (GOLDEN / f"{model_name}.json").write_text(text + "\n")
