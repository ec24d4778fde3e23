"""The OpenAPI description: FastAPI's, with problems (RFC 9457) in place of its own errors."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from vision_contracts import PROBLEM_CONTENT_TYPE, Problem

REF_TEMPLATE = "#/components/schemas/{model}"
PROBLEM_RESPONSE: dict[str, Any] = {
    "description": "A problem, identified by `code`.",
    "content": {PROBLEM_CONTENT_TYPE: {"schema": {"$ref": REF_TEMPLATE.format(model="Problem")}}},
}
RESPONSES: dict[int | str, dict[str, Any]] = {"4XX": PROBLEM_RESPONSE, "5XX": PROBLEM_RESPONSE}
EXAMPLE = Problem(
    title="Not Found",
    status=404,
    detail="There is no such project, or you are not a member of it.",
    code="not_found",
)


def describe_api(app: FastAPI) -> dict[str, Any]:
    """Return the description of `app`, made once."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        _replace_errors(schema)
        app.openapi_schema = schema
    return app.openapi_schema


def _replace_errors(schema: dict[str, Any]) -> None:
    components = schema["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        components.pop(name, None)
    problem = Problem.model_json_schema(ref_template=REF_TEMPLATE)
    components.update(problem.pop("$defs"))
    components["Problem"] = problem | {"examples": [EXAMPLE.model_dump(exclude_none=True)]}
    for operations in schema["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
