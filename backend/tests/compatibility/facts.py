"""Facts about the backend that clients and operators rely on, free of the names that the code gives to things."""

import ast
import json
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from vision_api.config import Settings
from vision_api.main import create_app

SOURCES = Path(__file__).resolve().parents[2] / "src"
TEXTS = ("description", "summary", "title", "example", "examples", "operationId", "tags")
"""Keys of the OpenAPI that are left out: texts for people, and names of functions, which the access log's flows pin."""
NAMED = ("properties", "paths", "schemas", "headers", "content", "responses", "securitySchemes", "flows")
"""Objects whose keys are names of their own: a property may well be called `title`."""
UNDESCRIBED = ("GET /", "GET /docs", "GET /metrics", "GET /openapi.json")
FOREIGN_METRICS = ("python_", "process_")
"""The Prometheus client's own."""


def make_app() -> FastAPI:
    return create_app(Settings(environment="development", service_urls={}), background=False)


def without_texts(node: Any, *, is_named: bool = False) -> Any:
    """An OpenAPI document without anything that only people read."""
    if isinstance(node, list):
        return [without_texts(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        key: without_texts(value, is_named=key in NAMED and not is_named)
        for key, value in node.items()
        if is_named or key not in TEXTS
    }


def api_facts(document: Mapping[str, Any]) -> set[str]:
    """One line for each fact, such as `/api/v1/projects get parameters query:limit schema maximum = 200`."""
    schemas = document["components"]["schemas"]
    security = _facts(document["components"]["securitySchemes"], ("security",), schemas, ())
    return {*_facts(document["paths"], (), schemas, ()), *security}


def _facts(node: Any, path: tuple[str, ...], schemas: Mapping[str, Any], within: tuple[str, ...]) -> Iterator[str]:
    """References are followed, so that the names of components do not matter; a circle ends where it began."""
    if isinstance(node, dict) and "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[1]
        if name in within:
            yield f"{' '.join(path)} = as {len(within) - within.index(name)} levels above"
        else:
            yield from _facts(schemas[name], path, schemas, (*within, name))
        return
    if isinstance(node, list) and path[-1] in ("required", "enum"):
        yield from (f"{' '.join(path)} = {json.dumps(one)}" for one in node)
        return
    children = list(_children(node, path))
    for name, child in children:
        yield from _facts(child, (*path, name), schemas, within)
    if not children:
        yield f"{' '.join(path)} = {json.dumps(node, sort_keys=True)}"


def _children(node: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        yield from node.items()
    elif isinstance(node, list) and any(isinstance(one, dict) for one in node):
        is_parameters = path[-1] == "parameters"
        for index, one in enumerate(node):
            yield (f"{one['in']}:{one['name']}" if is_parameters else f"[{index}]"), one


def problem_codes() -> set[str]:
    """Every constant that the backend's sources give as a `code` or an `error_code`."""
    return {code for file in SOURCES.rglob("*.py") for code in _codes(ast.parse(file.read_text()))}


def _codes(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        pairs: list[tuple[str | None, ast.expr]] = []
        if isinstance(node, ast.Call):
            pairs = [(keyword.arg, keyword.value) for keyword in node.keywords]
        elif isinstance(node, ast.Assign):
            pairs = [(target.id, node.value) for target in node.targets if isinstance(target, ast.Name)]
        for name, value in pairs:
            if name in ("code", "error_code"):
                either = (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,)
                yield from (one.value for one in either if isinstance(one, ast.Constant) and isinstance(one.value, str))


async def route_flows(app: FastAPI) -> dict[str, str]:
    """`METHOD path` → flow, as the access log prints it for a request of somebody who has not signed in."""
    described = [f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods]
    lines = _Flows()
    access_log = logging.getLogger("vision_api.access")
    level, access_log.propagate = access_log.level, False
    access_log.addHandler(lines)
    access_log.setLevel(logging.DEBUG)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for route in (*described, *UNDESCRIBED):
                method, path = route.split(" ")
                await client.request(method, re.sub(r"{\w+}", "1", path))
    finally:
        access_log.removeHandler(lines)
        access_log.setLevel(level)
        access_log.propagate = True
    return dict(zip((*described, *UNDESCRIBED), lines.flows, strict=True))


class _Flows(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.flows: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is None:  # no lifespan has begun, so that some of them fail
            self.flows.append(record.getMessage().split()[0])


def metric_facts(exposition: str) -> dict[str, str]:
    """Name → type and labels. A family without a sample shows no label, so have each measured before."""
    facts: dict[str, str] = {}
    for family in text_string_to_metric_families(exposition):
        if not family.name.startswith(FOREIGN_METRICS):
            labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
            facts[family.name] = f"{family.type}({', '.join(labels)})" if family.samples else f"{family.type}, unused"
    return facts
