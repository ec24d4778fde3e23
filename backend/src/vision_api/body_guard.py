"""Checks before a body is read: who sends it, and whether the path is theirs.

FastAPI reads and parses a body before anything else. A stranger's body would so cost time and memory, and its errors
would tell a stranger what exists.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vision_api.auth.dependencies import bearer, get_current_user, get_principal, require_changed_password
from vision_api.datasets.access import get_dataset_for
from vision_api.kit.methods import refuse_other_methods
from vision_api.models import User
from vision_api.platform import platform_of
from vision_api.projects.access import get_project_for
from vision_api.training_jobs.access import get_job_for

CHECKED: Mapping[str, Callable[[AsyncSession, User, int], Awaitable[Any]]] = {
    "project_id": get_project_for,
    "job_id": get_job_for,
    "dataset_id": get_dataset_for,
}
"""Check of each parameter of a path. Raises NotFound for what a user may not see."""
_METHODS = frozenset({"POST", "PATCH", "PUT"})

_calls: WeakKeyDictionary[Callable[..., Any], frozenset[Any]] = WeakKeyDictionary()


class BodyGuard:
    """Raises Unauthorized, Forbidden or NotFound before a byte of the body is read, where a route needs a user."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] not in _METHODS:
            await self.app(scope, receive, send)
            return
        is_checked = False

        async def receive_after_check() -> Message:
            nonlocal is_checked
            if not is_checked:
                is_checked = True
                await _check(Request(scope))
            return await receive()

        await self.app(scope, receive_after_check, send)


async def _check(request: Request) -> None:
    await refuse_other_methods(request)
    route = request.scope.get("route")
    needed = _dependencies(route) if isinstance(route, APIRoute) else frozenset[Any]()
    if get_principal not in needed:
        return
    platform = platform_of(request.app)
    principal = await get_principal(request, platform.database, platform.access_tokens, await bearer(request))
    if get_current_user in needed:
        require_changed_password(principal.user)
    # A malformed id is the route's to explain: it is refused without a look at the database.
    checks = {name: text for name, text in request.path_params.items() if name in CHECKED and str(text).isdecimal()}
    if checks and all(len(str(text)) <= 18 for text in checks.values()):
        async with platform.database.snapshot() as session:
            for name, text in checks.items():
                await CHECKED[name](session, principal.user, int(text))


def _dependencies(route: APIRoute) -> frozenset[Any]:
    """Return all functions that a route depends on."""
    if (known := _calls.get(route.endpoint)) is None:
        known = _calls[route.endpoint] = frozenset(each.call for each in _flat(route.dependant))
    return known


def _flat(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for each in dependant.dependencies:
        yield from _flat(each)
