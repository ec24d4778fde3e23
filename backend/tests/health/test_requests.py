"""Middleware of every request, and the routes for operators."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from support.common import AuthHeaders, MakeUser, fields_of, problem_of
from support.job_rows import MakeJob

from vision_api.config import Settings
from vision_api.main import EXPOSED_HEADERS, create_app
from vision_api.models import Project, User
from vision_api.operations import image_form

PROJECTS = "/api/v1/projects"
LOGIN = "/api/v1/auth/login"
ORIGIN = {"Origin": "http://localhost:3000"}


def _client(app: FastAPI, address: str = "127.0.0.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://test")


@pytest.fixture
async def headers(make_user: MakeUser, auth_headers: AuthHeaders) -> dict[str, str]:
    return await auth_headers(await make_user())


async def test_health_answers(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health")).json() == {"status": "ok"}


async def test_unknown_route_and_method_are_problems(client: httpx.AsyncClient) -> None:
    problem_of(await client.get("/api/v1/nothing"), 404, "not_found")
    problem_of(await client.put(PROJECTS), 405, "method_not_allowed")


async def test_unknown_query_parameter_is_named(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for path in (f"{PROJECTS}?limt=1", "/health?x=1", f"{LOGIN}?next=1"):
        response = await client.request("POST" if path.startswith(LOGIN) else "GET", path, headers=headers)
        problem = problem_of(response, 422, "validation_failed")
        assert fields_of(problem) == [path.partition("?")[2].partition("=")[0]]


async def test_text_that_cannot_be_stored_is_refused_everywhere(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    for name in ("a\0b", "\ud800"):
        body = json.dumps({"name": name}).encode()
        response = await client.post(PROJECTS, content=body, headers=headers | {"Content-Type": "application/json"})
        problem_of(response, 422, "validation_failed")
    problem_of(await client.get(f"{PROJECTS}?cursor=%00", headers=headers), 422, "validation_failed")
    problem_of(await client.get("/api/v1/models/timm/%00", headers=headers), 404, "not_found")


async def test_deeply_nested_body_is_refused(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    body = b'{"name": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    response = await client.post(PROJECTS, content=body, headers=headers | {"Content-Type": "application/json"})
    problem_of(response, 422, "validation_failed")


async def test_body_that_is_too_large_is_refused_announced_or_not(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    large = b'{"name": "' + b"x" * 1024**2 + b'"}'
    json_headers = headers | {"Content-Type": "application/json"}

    async def in_pieces() -> object:
        for start in range(0, len(large), 65536):
            yield large[start : start + 65536]

    problem_of(await client.post(PROJECTS, content=large, headers=json_headers), 413, "too_large")
    problem_of(await client.post(PROJECTS, content=in_pieces(), headers=json_headers), 413, "too_large")


async def test_images_may_be_larger_but_not_without_bound(
    client: httpx.AsyncClient,
    project: Project,
    owner: User,
    auth_headers: AuthHeaders,
    make_job: MakeJob,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image_form, "MOST_BYTES", 2 * settings.max_body_bytes)
    job, headers = await make_job(project_id=project.id), await auth_headers(owner)

    async def predict(size: int) -> httpx.Response:
        path = f"/api/v1/training/jobs/{job.id}/predict"
        return await client.post(path, files={"images": bytes(size)}, headers=headers)

    problem_of(await predict(settings.max_body_bytes + 1), 409, "conflict")
    problem_of(await predict(2 * settings.max_body_bytes), 413, "too_large")


@pytest.mark.parametrize("path", ["/api/v1/auth/register", "/api/v1/auth/login", PROJECTS, "/api/v1/datasets"])
@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "application/offset+octet-stream"])
async def test_a_stranger_cannot_send_much_whatever_he_calls_it(
    client: httpx.AsyncClient, path: str, content_type: str
) -> None:
    read = 0

    async def in_pieces() -> AsyncIterator[bytes]:
        nonlocal read
        yield b"--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n"
        for _ in range(64):
            read += 2**18
            yield bytes(2**18)

    response = await client.post(path, content=in_pieces(), headers={"Content-Type": content_type})
    assert response.status_code in (401, 413, 422)
    assert read < 2 * 2**20


async def test_unforeseen_error_is_a_problem_with_the_request_id(
    app: FastAPI, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/broken", tags=["test"])
    async def broken() -> None:
        raise ZeroDivisionError

    response = await client.get("/broken", headers={"X-Request-ID": "abc-1"} | ORIGIN)
    problem = problem_of(response, 500, "internal_error")
    assert "abc-1" in problem["detail"]
    assert response.headers["X-Request-ID"] == "abc-1"
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]
    assert "ZeroDivisionError" in caplog.text


async def test_every_answer_has_a_request_id(client: httpx.AsyncClient) -> None:
    given = await client.get("/health", headers={"X-Request-ID": "my.id-1"})
    assert given.headers["X-Request-ID"] == "my.id-1"
    forged = await client.get("/health", headers={"X-Request-ID": "a\tb" * 30})
    assert forged.headers["X-Request-ID"] not in ("", "a\tb" * 30)


async def test_log_names_the_flow_and_hides_tickets(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "vision_api"):
        await client.post(LOGIN, json={"email": "x@example.com", "password": "hidden-word"})
        await client.get(f"{PROJECTS}?ticket=hidden-ticket")
        await client.get(f"{PROJECTS}?%74ick%65t=hidden-ticket")
    assert "auth.login" in caplog.text
    assert f"POST {LOGIN} → 401" in caplog.text
    assert caplog.text.count(f"{PROJECTS}?ticket=*** → ") == 2
    assert ", nobody at 127.0.0.1" in caplog.text
    assert "hidden" not in caplog.text


async def test_other_origin_may_read_the_headers_of_the_contract(client: httpx.AsyncClient) -> None:
    response = await client.get("/health", headers=ORIGIN)
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN["Origin"]
    assert set(response.headers["Access-Control-Expose-Headers"].split(", ")) == set(EXPOSED_HEADERS)
    preflight = await client.options(
        PROJECTS,
        headers=ORIGIN
        | {
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization, content-type, idempotency-key",
        },
    )
    assert preflight.status_code == 200
    stranger = await client.get("/health", headers={"Origin": "http://evil.example"})
    assert "Access-Control-Allow-Origin" not in stranger.headers


@pytest.mark.parametrize(
    ("proxy", "seen"),
    [
        ("10.0.0.1", "https://test/who from 192.0.2.7"),
        ("::ffff:10.0.0.1", "https://test/who from 192.0.2.7"),
        ("10.0.0.2", "http://test/who from 10.0.0.2"),
    ],
)
async def test_only_a_trusted_proxy_may_say_who_asks_and_how(settings: Settings, proxy: str, seen: str) -> None:
    app = create_app(settings.model_copy(update={"trusted_proxies": ("10.0.0.1",)}), background=False)

    @app.get("/who")
    async def who(request: Request) -> str:
        return f"{request.url} from {request.client.host if request.client else None}"

    async with app.router.lifespan_context(app), _client(app, proxy) as client:
        response = await client.get("/who", headers={"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"})
    assert response.json() == seen


async def test_requests_beyond_the_pool_wait_their_turn(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answers = await asyncio.gather(*(client.get(PROJECTS, headers=headers) for _ in range(60)))
    assert {answer.status_code for answer in answers} == {200}


async def test_http_is_redirected_to_https_by_the_header_of_a_trusted_proxy(settings: Settings) -> None:
    changes = {
        "public_url": "https://api.example.com",
        "https_redirect": True,
        "hsts_seconds": 3600,
        "trusted_proxies": ("10.0.0.1",),
    }
    app = create_app(settings.model_copy(update=changes), background=False)
    tells = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-For": "198.51.100.7"}
    async with app.router.lifespan_context(app), _client(app, "10.0.0.1") as client:
        double = await client.get("/%2Fevil.example/%20?a=%3E", headers={**tells, "X-Forwarded-Proto": "http"})
        plain = await client.post(f"{LOGIN}?a=1", headers={**tells, "X-Forwarded-Proto": "http"})
        secure = await client.get(PROJECTS, headers={**tells, "X-Forwarded-Proto": "https"})
        probe = await client.get("/health")
    assert (plain.status_code, plain.headers["Location"]) == (308, f"https://api.example.com{LOGIN}?a=1")
    assert (double.status_code, double.headers["Location"]) == (
        308, "https://api.example.com//evil.example/%20?a=%3E",
    )  # fmt: skip
    assert (secure.status_code, secure.headers["Strict-Transport-Security"]) == (401, "max-age=3600; includeSubDomains")
    assert (probe.status_code, "Strict-Transport-Security" in probe.headers) == (200, False)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", PROJECTS, "GET, POST"),
        ("PUT", f"{PROJECTS}/1", "DELETE, GET, PATCH"),
        ("GET", "/api/v1/training/jobs/preflight", "POST"),
        ("PATCH", "/api/v1/datasets/import", "POST"),
        ("TRACE", "/health", "GET"),
    ],
)
async def test_a_method_that_a_path_does_not_have_is_405_with_all_that_it_has(
    client: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    response = await client.request(method, path)

    problem_of(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == allowed
