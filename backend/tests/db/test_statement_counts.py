"""A list takes a fixed number of SQL statements, however many rows it has."""

from collections.abc import Iterator
from typing import Any

import httpx
from fastapi import FastAPI
from support.common import AuthHeaders, counted_statements
from support.full_projects import FullProject, fill_project
from support.small_service import make_card, make_list

from vision_api.config import Settings
from vision_api.db.session import Database
from vision_api.main import create_app
from vision_api.models import User
from vision_api.platform import platform_of

SIZES = (1, 10, 200)
STATEMENTS = {
    "list_models": 1,
    "list_projects": 2,
    "list_members": 3,
    "list_datasets": 2,
    "list_findings": 5,
    "list_versions": 4,
    "get_diff": 7,
    "compare_training_jobs": 5,
    "get_leaderboard": 3,
    "list_training_jobs": 3,
    "list_project_experiments": 4,
    "get_metrics": 4,
    "get_logs": 5,
    "list_artifacts": 4,
    "list_operations": 7,
    "get_operation": 10,
    "get_preflight": 7,
    "list_registered_models": 3,
    "list_model_versions": 4,
    "list_pushes": 4,
    "get_project_usage": 6,
}
"""Statements of every route that lists something, by operation id; the first one looks up the user. A new route needs
a line here; a number that grows needs a reason.
"""
WITHOUT_ROWS = {"get_ready"}
"""Routes whose list is not of rows."""
LIST_FIELDS = {
    "compare_training_jobs": "jobs",
    "get_diff": "added",
    "get_preflight": "artifacts",
    "get_project_usage": "jobs",
    "get_operation": "artifacts",
}
"""The list in answers that are objects."""
COMPARED = (2, 10)
"""Fewest and most experiments of a comparison."""


def _list_operations(described: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and operation of each GET that answers an array, lines, or an object that has an array of objects."""
    for path, operations in described["paths"].items():
        operation = operations.get("get")
        if operation is None or operation.get("deprecated") or operation["operationId"] in WITHOUT_ROWS:
            continue
        content = operation["responses"].get("200", {}).get("content", {})
        answer = _resolve(described, content.get("application/json", {}).get("schema", {}))
        fields = [_resolve(described, field) for field in answer.get("properties", {}).values()]
        is_list = answer.get("type") == "array" or "application/x-ndjson" in content
        if is_list or any(_holds_objects(described, field) for field in fields):
            yield path, operation


def _resolve(described: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema that is meant: behind a reference, or the one beside null."""
    if "$ref" in schema:
        return _resolve(described, described["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    others = [other for other in schema.get("anyOf", ()) if other.get("type") != "null"]
    return _resolve(described, others[0]) if len(others) == 1 else schema


def _holds_objects(described: dict[str, Any], schema: dict[str, Any]) -> bool:
    return schema.get("type") == "array" and "properties" in _resolve(described, schema.get("items", {}))


def _address(path: str, operation: dict[str, Any], full: FullProject, count: int) -> tuple[str, dict[str, Any]]:
    """Path and query that ask for `count` rows."""
    ids, query = vars(full).copy(), dict[str, Any]()
    if any(parameter["name"] == "limit" for parameter in operation.get("parameters", ())):
        query["limit"] = count
    match operation["operationId"]:
        case "get_diff":
            ids["dataset_id"], query = full.changed_dataset_id, {"from": 1, "to": 2}
        case "compare_training_jobs":
            query = {"ids": full.job_ids[: _compared(count)]}
        case "get_preflight":
            ids["operation_id"] = full.preflight_id
    return path.format_map(ids), query


def _compared(count: int) -> int:
    fewest, most = COMPARED
    return min(max(count, fewest), most)


def _count_rows(name: str, answer: httpx.Response) -> int:
    assert answer.status_code == 200, (name, answer.text)
    if answer.headers["content-type"] == "application/x-ndjson":
        return len(answer.text.splitlines())
    return len(answer.json()[LIST_FIELDS[name]] if name in LIST_FIELDS else answer.json())


def test_every_list_route_has_its_number_of_statements() -> None:
    described = create_app(Settings(environment="development", service_urls={}), background=False).openapi()
    assert {operation["operationId"] for _, operation in _list_operations(described)} == STATEMENTS.keys()


async def test_a_list_takes_as_many_statements_at_1_10_and_200_rows(
    client: httpx.AsyncClient, app: FastAPI, database: Database, owner: User, auth_headers: AuthHeaders
) -> None:
    await platform_of(app).catalog.put(make_list(*(make_card(f"model-{index}") for index in range(max(SIZES)))))
    counts: dict[str, list[int]] = {name: [] for name in STATEMENTS}
    for count in SIZES:
        full = await fill_project(database, platform_of(app).store, owner, count)
        for path, operation in _list_operations(app.openapi()):
            name = operation["operationId"]
            address, query = _address(path, operation, full, count)
            headers = await auth_headers(owner)  # a sign-in of its own: no answer is kept for it
            with counted_statements(app) as statements:
                answer = await client.get(address, params=query, headers=headers)
            assert _count_rows(name, answer) == (_compared(count) if name == "compare_training_jobs" else count), name
            counts[name].append(len(statements))
    assert counts == {name: [number] * len(SIZES) for name, number in STATEMENTS.items()}
