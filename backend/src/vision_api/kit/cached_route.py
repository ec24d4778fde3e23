"""Routes that answer repeated requests from a cache: parsing and authentication cost many times as much as the rest."""

import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response, status
from fastapi.routing import APIRoute
from fastapi.security.utils import get_authorization_scheme_param

from vision_api.kit.conditional import respond_unless_modified
from vision_api.kit.response_cache import Key, ResponseCache


@dataclass(frozen=True, slots=True)
class CachePlace:
    """Place of a response in a cache. The endpoint is asked, and its response stored, unless `may_read`."""

    cache: ResponseCache
    key: Key
    may_read: bool = True


class CachedRoute(APIRoute):
    """Route that looks in a cache first. Responses are stored after all checks, if they are 200."""

    def find_place(self, request: Request) -> CachePlace | None:
        """Return the place of the response; None if this request is answered by the endpoint alone."""
        raise NotImplementedError

    def expires_at(self, request: Request) -> float:
        """Return the Unix time until which a stored response may be used; by default it has no end."""
        del request
        return math.inf

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return a handler that looks in the cache first."""
        check_and_answer = super().get_route_handler()

        async def answer(request: Request) -> Response:
            place = self.find_place(request)
            if place is None:
                return respond_unless_modified(request, await check_and_answer(request))
            known = place.cache.get(place.key) if place.may_read else None
            if known is None:
                known = await check_and_answer(request)
                if known.status_code == status.HTTP_200_OK:
                    place.cache.put(place.key, known, until=self.expires_at(request))
            return respond_unless_modified(request, known)

        return answer


def bearer_of(request: Request) -> str:
    """Return the token of the request, not verified; empty without any."""
    return get_authorization_scheme_param(request.headers.get("authorization"))[1]
