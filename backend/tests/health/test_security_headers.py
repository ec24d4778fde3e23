"""Headers for browsers, on every kind of answer."""

import re

import httpx
import pytest

from vision_api.kit.security_headers import HEADERS


@pytest.mark.parametrize("path", ["/health", "/api/v1/projects", "/api/v1/nothing", "/openapi.json"])
async def test_every_answer_has_them(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


async def test_nothing_below_auth_is_cached(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/auth/login", json={"email": "a@example.com", "password": "wrong"})

    assert answer.headers["cache-control"] == "no-store"


async def test_the_docs_page_may_load_its_own_files_and_run_its_one_script(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    policy = page.headers["content-security-policy"]

    assert len(re.findall(r"'sha256-[\w+/]{43}='", policy)) == page.text.count("<script>") == 1
    assert "script-src 'self'" in policy
    assert "unsafe-eval" not in policy
