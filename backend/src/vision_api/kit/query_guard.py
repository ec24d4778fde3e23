"""Check that a request has no unknown query parameter: a misspelt one is an error."""

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute

from vision_api.errors import Invalid, NotFound
from vision_api.kit.schemas import is_storable
from vision_contracts import FieldProblem

_known: WeakKeyDictionary[Callable[..., Any], frozenset[str]] = WeakKeyDictionary()


async def refuse_unknown_query(request: Request) -> None:
    """Refuse unknown query parameters: a dependency of all routes.

    Raises Invalid for a parameter that the route does not have, NotFound for a path that no row can have.
    """
    if not is_storable(request.url.path):
        raise NotFound
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute):
        return
    known = _known_names(route)
    problems = [
        FieldProblem(
            field=name,
            code="extra_forbidden",
            message=f"There is no parameter {name}. There is: {', '.join(sorted(known)) or 'none'}.",
        )
        for name in request.query_params
        if name not in known
    ]
    problems += [
        FieldProblem(field=name, code="value_error", message="The text holds a character that cannot be stored.")
        for name, value in request.query_params.multi_items()
        if not is_storable(value)
    ]
    if problems:
        raise Invalid(f"{problems[0].field}: {problems[0].message}", errors=problems)


def _known_names(route: APIRoute) -> frozenset[str]:
    if (known := _known.get(route.endpoint)) is None:
        fields = get_flat_params(route.dependant)
        known = _known[route.endpoint] = frozenset(
            field.alias for field in fields if isinstance(field.field_info, Query)
        )
    return known
