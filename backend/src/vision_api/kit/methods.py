"""Methods that a path takes, over all of its routes."""

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from weakref import WeakKeyDictionary

from fastapi import FastAPI, Request
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import compile_path


@dataclass(frozen=True)
class _Methods:
    """Methods of every path without parameters, and of every pattern of a path with some."""

    fixed: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    patterns: dict[re.Pattern[str], set[str]] = field(default_factory=dict[re.Pattern[str], set[str]])


_known: WeakKeyDictionary[FastAPI, _Methods] = WeakKeyDictionary()


def allowed_methods(request: Request) -> list[str]:
    """Return the methods of the request's path, in order. A path without parameters hides those that match it."""
    known, path = _methods_of(request.app), request.url.path
    matching = [names for pattern, names in known.patterns.items() if pattern.match(path)]
    return sorted(known.fixed.get(path) or set[str]().union(*matching))


async def refuse_other_methods(request: Request) -> None:
    """Refuse a method that the path does not have, though a route with parameters takes it: a dependency of all routes.

    `GET /training/jobs/preflight` does not ask for a job of that name. Raises HTTPException 405.
    """
    own = _methods_of(request.app).fixed.get(request.url.path)
    if own is not None and request.method not in own:
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)


def _methods_of(app: FastAPI) -> _Methods:
    if (known := _known.get(app)) is None:
        known = _known[app] = _Methods()
        for route in iter_route_contexts(app.routes):
            if route.path is not None:
                pattern, _, parameters = compile_path(route.path)
                if parameters:
                    known.patterns.setdefault(pattern, set()).update(route.methods or ())
                else:
                    known.fixed.setdefault(route.path, set()).update(route.methods or ())
    return known
