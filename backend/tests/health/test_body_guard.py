"""Order of work of a request with a body: token, access to the path, then the body."""

from collections.abc import AsyncIterator

import httpx
import pytest
from support.common import AuthHeaders, MakeUser, problem_of
from support.job_rows import MakeJob

from vision_api.models import Project, User

JSON = {"Content-Type": "application/json"}


class Body:
    """A body of 100 kB that is no JSON, and the number of bytes that were read of it."""

    def __init__(self) -> None:
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(10):
            self.read += 10_000
            yield b"[" * 10_000


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/projects"),
        ("PATCH", "/api/v1/projects/1"),
        ("POST", "/api/v1/training/jobs"),
        ("POST", "/api/v1/training/jobs/1/fork"),
        ("POST", "/api/v1/training/jobs/1/predict"),
        ("POST", "/api/v1/datasets"),
        ("PATCH", "/api/v1/datasets/abc"),
        ("PATCH", "/api/v1/auth/me"),
    ],
)
async def test_nothing_is_read_without_a_sign_in(client: httpx.AsyncClient, method: str, path: str) -> None:
    body = Body()

    problem_of(await client.request(method, path, content=body, headers=JSON), 401, "token_invalid")
    assert body.read == 0


@pytest.fixture
async def stranger(make_user: MakeUser, auth_headers: AuthHeaders) -> dict[str, str]:
    return await auth_headers(await make_user()) | JSON


async def test_nothing_is_read_of_a_body_for_what_is_not_ones_own(
    client: httpx.AsyncClient, project: Project, make_job: MakeJob, stranger: dict[str, str]
) -> None:
    job = await make_job(project_id=project.id)
    of_others = [
        ("PATCH", f"/api/v1/projects/{project.id}"),
        ("POST", f"/api/v1/projects/{project.id}/members"),
        ("POST", f"/api/v1/projects/{project.id}/models"),
        ("PATCH", f"/api/v1/training/jobs/{job.id}"),
        ("POST", f"/api/v1/training/jobs/{job.id}/extend"),
        ("POST", f"/api/v1/training/jobs/{job.id}/evaluate"),
        ("PATCH", "/api/v1/datasets/99"),
    ]
    for method, path in of_others:
        body = Body()

        problem_of(await client.request(method, path, content=body, headers=stranger), 404, "not_found")
        assert body.read == 0, path


@pytest.mark.parametrize("number", ["0", "-1", "abc", "9" * 30, "1.5", "٣"])
async def test_a_malformed_id_is_explained_by_the_route(
    client: httpx.AsyncClient, stranger: dict[str, str], number: str
) -> None:
    response = await client.patch(f"/api/v1/projects/{number}", json={"name": "new"}, headers=stranger)

    assert response.status_code in (404, 422)


async def test_a_member_gets_the_errors_of_the_body(
    client: httpx.AsyncClient, project: Project, owner: User, auth_headers: AuthHeaders
) -> None:
    headers = await auth_headers(owner)

    problem_of(
        await client.patch(f"/api/v1/projects/{project.id}", json={"nam": 1}, headers=headers), 422, "validation_failed"
    )


async def test_a_generated_password_must_be_changed_before_a_body_is_read(
    client: httpx.AsyncClient, make_user: MakeUser, auth_headers: AuthHeaders
) -> None:
    body = Body()
    headers = await auth_headers(await make_user(must_change_password=True)) | JSON

    problem_of(await client.post("/api/v1/projects", content=body, headers=headers), 403, "password_change_required")
    assert body.read == 0
