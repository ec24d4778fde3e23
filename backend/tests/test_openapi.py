"""The description of the API that is checked in is the one that the code gives."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from vision_api.config import Settings
from vision_api.main import create_app

CHECKED_IN = Path(__file__).resolve().parents[2] / "docs/openapi.json"


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    """The description at `/openapi.json`."""
    return create_app(Settings(environment="development", service_urls={}), background=False).openapi()


def _operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in schema["paths"].values():
        yield from operations.values()


def test_checked_in_description_is_up_to_date() -> None:
    command = [sys.executable, "-m", "vision_api.openapi"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert json.loads(printed) == json.loads(CHECKED_IN.read_text()), f"run: {' '.join(command[1:])} > {CHECKED_IN}"


async def test_documentation_page_needs_nothing_from_elsewhere() -> None:
    app = create_app(Settings(environment="development", service_urls={}), background=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        page = await client.get("/", follow_redirects=True)
        addresses = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert page.url.path == "/docs"
        assert len(addresses) >= 3
        for address in addresses:
            assert httpx.URL(address).host in ("", "test")
            assert len((await client.get(address)).content) > 500


def test_every_operation_is_described_and_has_a_name_of_its_own(described: dict[str, Any]) -> None:
    operations = list(_operations(described))
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert [operation["operationId"] for operation in operations if not operation.get("description")] == []


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    text = json.dumps(described)
    names = {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert names <= described["components"]["schemas"].keys()
    assert "HTTPValidationError" not in text


def test_bodies_show_examples(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    for name in ("UserCreate", "ProjectCreate", "TrainingJobCreate"):
        assert "example" in json.dumps(schemas[name]), name


def _unbounded(schema: Any, place: str) -> Iterator[str]:
    """Yield the place of every integer without a largest value."""
    if isinstance(schema, dict):
        if schema.get("type") == "integer" and not {"maximum", "exclusiveMaximum", "enum", "const"} & schema.keys():
            yield place
        for name, part in schema.items():
            if name not in ("example", "examples", "default"):
                yield from _unbounded(part, f"{place} {name}")
    elif isinstance(schema, list):
        for part in schema:
            yield from _unbounded(part, place)


def test_every_integer_that_a_client_sends_is_bounded(described: dict[str, Any]) -> None:
    """A column holds 64 bits, or fewer: what it cannot hold is refused as invalid."""
    components = described["components"]["schemas"]
    found: list[str] = []
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            place = f"{method} {path}"
            for parameter in operation.get("parameters", []):
                found += _unbounded(parameter["schema"], f"{place} {parameter['name']}")
            for content in operation.get("requestBody", {}).get("content", {}).values():
                reference = content["schema"].get("$ref")
                schema = components[reference.rpartition("/")[2]] if reference else content["schema"]
                found += _unbounded(schema, place)

    assert found == []
