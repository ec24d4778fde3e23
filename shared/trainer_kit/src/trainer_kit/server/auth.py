"""The one secret that a training service shares with its backend."""

import hmac
from collections.abc import Mapping

from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from http_kit.problems import make_problem, problem_response


class TokenGate:
    """Refuses requests without a token, before anything of their body is read.

    `tokens` names paths with a token of their own, or None for a public one; all others need `token`.
    """

    def __init__(self, app: ASGIApp, *, token: SecretStr, tokens: Mapping[str, SecretStr | None]) -> None:
        self.app = app
        self._token = token
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            expected = self._tokens.get(scope["path"], self._token)
            if expected is not None and not _has_token(scope, expected):
                problem = make_problem(401, "Send the service's token: `Authorization: Bearer <SERVICE_TOKEN>`.")
                await problem_response(problem, {"WWW-Authenticate": "Bearer"})(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _has_token(scope: Scope, expected: SecretStr) -> bool:
    """Compare in constant time."""
    scheme, _, given = Headers(scope=scope).get("Authorization", "").partition(" ")
    is_right = hmac.compare_digest(given.strip().encode(), expected.get_secret_value().encode())
    return scheme.lower() == "bearer" and is_right
