"""The route of the project list: what nothing has changed since is not read again."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response, status
from fastapi.routing import APIRoute
from fastapi.security.utils import get_authorization_scheme_param

from vision_api.auth.tokens import AccessTokens
from vision_api.db.session import Database
from vision_api.kit.response_cache import ResponseCache, key_of


class ProjectListRoute(APIRoute):
    """Two statements over threads take twenty times as long as everything else that the list needs.

    An answer is kept with the version of the database before it was read, and given again to the same token while
    that is still the version: not one commit lies between them, so that reading again would find the same sign-in,
    the same memberships and the same projects. Only the token's own time runs on: no answer is kept for longer.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Look at the kept answers first."""
        check_and_answer = super().get_route_handler()

        async def answer(request: Request) -> Response:
            database: Database = request.app.state.database
            answers: ResponseCache = request.app.state.project_lists
            version, token = database.version(), _bearer(request)
            if version is None or not token:
                return await check_and_answer(request)
            key = (version, token, *key_of(request))
            known = answers.get(key)
            if known is None:
                known = await check_and_answer(request)
                if known.status_code == status.HTTP_200_OK:
                    tokens: AccessTokens = request.app.state.access_tokens
                    answers.put(key, known, until=tokens.expires_at(token))
            return known

        return answer


def _bearer(request: Request) -> str:
    return get_authorization_scheme_param(request.headers.get("authorization"))[1]
