"""The API's paths, parameters, properties and codes are those of the snapshot, and what is named here."""

import json

from compatibility.facts import api_facts, make_app, problem_codes, route_flows, without_texts
from compatibility.snapshots import load

ADDED_FACTS: tuple[str, ...] = (
    "/api/v1/datasets post requestBody content multipart/form-data schema properties project_id m",
    "/api/v1/training/jobs/{job_id}/operations",
    "/api/v1/training/jobs/preflight/{operation_id}",
    "/api/v1/training/jobs/{job_id}/work get deprecated",
    "/api/v1/training/jobs/{job_id}/work/{work_id} get deprecated",
    "/api/v1/training/jobs get parameters query:q ",
    "/api/v1/training/jobs get parameters query:task_type ",
    "/ready get responses 200 content application/json schema properties disks",
    "/api/v1/training/jobs/{job_id}/training-state",
    '/ready get responses 200 content application/json schema required = "disks"',
    '/ready get responses 200 content application/json schema properties troubles items properties part enum = "disk"',
)
"""Beginnings of facts that the snapshot does not have, such as `/api/v1/training/jobs/{job_id}/operations`."""
ADDED_PROPERTIES: tuple[str, ...] = (
    " properties errors_omitted ",
    " properties errors anyOf [0] items properties params ",
    ' properties kind enum = "training_state"',
    " properties training_state ",
    ' required = "training_state"',
    " properties training_state_bytes ",
    ' required = "training_state_bytes"',
    " properties kinds ",
    ' required = "kinds"',
    'pattern = "^[^\\\\u0000-',  # names are one line without control characters
)
"""Parts of facts that the snapshot does not have, of a schema that many routes share."""
CORRECTED: tuple[str, ...] = (
    " path:version schema anyOf ",  # had a variant without bounds, which was a 500
)
"""Parts of facts that the snapshot has otherwise."""
ADDED_ROUTES: tuple[str, ...] = (
    "GET /api/v1/training/jobs/{job_id}/operations",
    "DELETE /api/v1/training/jobs/{job_id}/training-state",
    "GET /api/v1/training/jobs/preflight/{operation_id}",
)
"""Beginnings of `METHOD path` that the snapshot does not have."""
RENAMED = {"work_id": "operation_id"}
"""A parameter of a path, which no client sends by its name."""
RENAMED_FLOWS = {"works.list_works": "operations.list_work", "works.": "operations."}
"""Operations were called works."""
ADDED_CODES: frozenset[str] = frozenset(
    {"image_broken", "image_too_large", "preview_failed", "quota_exceeded", "server_busy", "too_slow"}
)


def test_facts_of_the_api_are_those_of_the_snapshot() -> None:
    before, now = api_facts(load("api.json")), api_facts(without_texts(make_app().openapi()))
    before = {_renamed(fact, RENAMED) if "/preflight/{work_id}" in fact else fact for fact in before}

    assert [fact for fact in sorted(before - now) if not any(part in fact for part in CORRECTED)] == []
    added = [fact for fact in sorted(now - before) if not fact.startswith(ADDED_FACTS)]
    assert [fact for fact in added if not any(part in fact for part in (*ADDED_PROPERTIES, *CORRECTED))] == []


def test_problem_codes_are_those_of_the_snapshot() -> None:
    before, now = set(load("problem_codes.json")), problem_codes()

    assert sorted(before - now) == []
    assert sorted(now - before - ADDED_CODES) == []


async def test_access_log_names_the_flow_of_each_route_as_in_the_snapshot() -> None:
    before, now = load("flows.json"), await route_flows(make_app())

    before = {route: _renamed(flow, RENAMED_FLOWS) for route, flow in before.items() if "preflight/{" not in route}

    assert {route: flow for route, flow in now.items() if not route.startswith(ADDED_ROUTES)} == before


def _renamed(text: str, names: dict[str, str]) -> str:
    for old, new in names.items():
        text = text.replace(old, new)
    return text


def test_facts_do_not_depend_on_the_names_of_components() -> None:
    document = load("api.json")
    renamed = json.loads(json.dumps(document).replace("ProjectRead", "ProjectAnswer"))

    assert renamed != document
    assert api_facts(renamed) == api_facts(document)


def test_property_that_is_gone_is_a_fact_that_is_gone() -> None:
    document = load("api.json")
    facts = api_facts(document)

    del document["components"]["schemas"]["ProjectRead"]["properties"]["experiment_count"]

    lost = "/api/v1/projects post responses 201 content application/json schema properties experiment_count"
    assert any(fact.startswith(lost) for fact in facts - api_facts(document))
