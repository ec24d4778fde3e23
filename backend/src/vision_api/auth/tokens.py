"""Access tokens (JWT), and random tokens that the database knows only by their hash."""

import contextlib
import hashlib
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt

from vision_api.config import Settings
from vision_api.errors import Unauthorized
from vision_api.kit.clock import utc_now

ALGORITHM = "HS256"
NOT_VALID = "The access token is not valid. Sign in again."


@dataclass(frozen=True)
class AccessToken:
    """Claims of a valid access token."""

    user_id: int
    session_id: UUID


class AccessTokens:
    """Signs and reads access tokens."""

    def __init__(self, secret: str, *, lifetime_seconds: int) -> None:
        self._secret = secret
        self.lifetime_seconds = lifetime_seconds

    def issue(self, token: AccessToken, *, now: datetime | None = None) -> str:
        """Return a signed JWT, valid for `lifetime_seconds`."""
        issued_at = now or utc_now()
        claims = {
            "sub": str(token.user_id),
            "sid": str(token.session_id),
            "iat": issued_at,
            "exp": issued_at + timedelta(seconds=self.lifetime_seconds),
        }
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def read(self, encoded: str) -> AccessToken:
        """Verify a JWT and return its claims. Raises Unauthorized: token_expired or token_invalid."""
        claims = self._claims(encoded)
        try:
            return AccessToken(int(claims["sub"]), UUID(claims["sid"]))
        except (ValueError, AttributeError) as error:
            raise Unauthorized(NOT_VALID) from error

    def expires_at(self, encoded: str) -> float:
        """Return the Unix time from which on `read` refuses it. Raises as `read`."""
        return float(self._claims(encoded)["exp"])

    def _claims(self, encoded: str) -> dict[str, Any]:
        try:
            return jwt.decode(encoded, self._secret, algorithms=[ALGORITHM], options={"require": ["sub", "sid", "exp"]})
        except jwt.ExpiredSignatureError as error:
            raise Unauthorized("The access token has expired. Refresh it.", code="token_expired") from error
        except jwt.InvalidTokenError as error:
            raise Unauthorized(NOT_VALID) from error


def new_token() -> str:
    """Return 256 random bits, as text for a URL."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Return the hash by which a token is stored. It is random, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def signing_secret(settings: Settings) -> str:
    """Return `JWT_SECRET`, or in development one that is made once and kept in the data directory."""
    if settings.jwt_secret is not None:
        return settings.jwt_secret.get_secret_value()
    return _kept_secret(settings.data_dir / "jwt_secret")


def _kept_secret(path: Path) -> str:
    """Read the secret, or write it so that no reader can ever see half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()
