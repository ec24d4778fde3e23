"""The one secret that a training service shares with its backend."""

import hmac
from collections.abc import Callable

from fastapi import HTTPException, Request
from pydantic import SecretStr


def bearer_check(token: SecretStr) -> Callable[[Request], None]:
    """Return a dependency that refuses requests without the token. Compares in constant time."""
    expected = token.get_secret_value().encode()

    def check(request: Request) -> None:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        is_right = hmac.compare_digest(given.strip().encode(), expected)
        if scheme.lower() != "bearer" or not is_right:
            detail = "Send the service's token: `Authorization: Bearer <SERVICE_TOKEN>`."
            raise HTTPException(401, detail, {"WWW-Authenticate": "Bearer"})

    return check
