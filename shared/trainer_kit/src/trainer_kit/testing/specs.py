"""Job specs, and checks of events and responses, for tests."""

import hashlib
from typing import Any, TypeVar
from uuid import UUID, uuid4

import httpx

from trainer_kit.runner.inputs import local_path
from vision_contracts import (
    PROBLEM_CONTENT_TYPE,
    DatasetRef,
    EventBody,
    JobEvent,
    JobSpec,
    Metrics,
    Problem,
    TaskType,
    TrainingParams,
)

B = TypeVar("B", bound=EventBody)


def changed(spec: JobSpec, **changes: Any) -> JobSpec:
    """Return the spec with changed fields, of `params` too; its `output_uri` follows its job and attempt."""
    params = {name: changes.pop(name) for name in list(changes) if name in type(spec.params).model_fields}
    fields = spec.model_dump() | changes
    fields["params"] = fields["params"] | params
    if "output_uri" not in changes:
        storage = spec.output_uri.partition("/jobs/")[0]
        fields["output_uri"] = attempt_uri(storage, fields["job_uid"], fields["attempt"])
    return JobSpec.model_validate(fields)


def attempt_uri(storage: str, job_uid: UUID, attempt: int) -> str:
    """URI below which an attempt stores its files."""
    return f"{storage}/jobs/{job_uid}/attempts/{attempt}"


def bodies(events: list[JobEvent], kind: type[B]) -> list[B]:
    """Return the bodies of the events of one type."""
    return [event.body for event in events if isinstance(event.body, kind)]


def computed(events: list[JobEvent]) -> dict[tuple[str, int], float | None]:
    """Return every metric point by name and step, except those that measure time."""
    return {
        (name, body.step): value
        for body in bodies(events, Metrics)
        for name, value in body.values.items()
        if not name.startswith("time/")
    }


def assert_problem(response: httpx.Response, status: int, code: str) -> Problem:
    """Check that the response is this problem, and return it."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == PROBLEM_CONTENT_TYPE
    problem = Problem.model_validate_json(response.content)
    assert problem.code == code, response.text
    return problem


def sha256_of(uri: str) -> str:
    """SHA-256 of a file on this machine, as hexadecimal digits."""
    path = local_path(uri)
    assert path is not None
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_fake_spec(storage: str, dataset_uri: str) -> JobSpec:
    """Return a job of the fake framework with ten thousand epochs of slow steps, so that it runs until it is ended."""
    job_uid = uuid4()
    return JobSpec(
        job_uid=job_uid,
        attempt=1,
        framework="fake",
        model_name="linear",
        task_type=TaskType.IMAGE_CLASSIFICATION,
        dataset=DatasetRef(uri=dataset_uri),
        output_uri=attempt_uri(storage, job_uid, 1),
        params=TrainingParams(epochs=10_000, batch_size=8, learning_rate=0.5, optimizer="sgd"),
        hyperparameters={"step_seconds": 0.02},
    )
