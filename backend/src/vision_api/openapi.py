"""The API's description: `python -m vision_api.openapi > docs/openapi.json`."""

import json
import sys
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from vision_contracts import PROBLEM_CONTENT_TYPE, Problem

REF_TEMPLATE = "#/components/schemas/{model}"
PROBLEM_RESPONSE: dict[str, Any] = {
    "description": "A problem; `code` says which.",
    "content": {PROBLEM_CONTENT_TYPE: {"schema": {"$ref": REF_TEMPLATE.format(model="Problem")}}},
}
RESPONSES: dict[int | str, dict[str, Any]] = {"4XX": PROBLEM_RESPONSE, "5XX": PROBLEM_RESPONSE}
EXAMPLE = Problem(
    title="Not Found",
    status=404,
    detail="There is no such project, or you are not a member of it.",
    code="not_found",
)


def describe(app: FastAPI) -> dict[str, Any]:
    """The description of `app`, with our errors in place of FastAPI's own."""
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


def main() -> None:
    """Write the description to standard output, the same on every machine."""
    from vision_api.config import Settings
    from vision_api.main import create_app

    schema = describe(create_app(Settings(environment="development", service_urls={}), background=False))
    sys.stdout.write(json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
