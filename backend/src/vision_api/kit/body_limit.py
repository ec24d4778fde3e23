"""Limit of the size of bodies: small, until a route accepts an upload."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vision_api.errors import TooLarge

SMALL_BODY_BYTES = 8 * 1024
_BOUND = "vision_api.body_bound"
_MOST_DIGITS = 19
"""Number of digits of Content-Length that are read: more are as large."""


@dataclass
class _Bound:
    """The limit of one request."""

    most_bytes: int
    upload_bytes: int
    announced_bytes: int
    check: Callable[[], object] = lambda: None
    """Called with each piece of the body."""


class BodyLimit:
    """Bounds the body of every request, whatever type it names: FastAPI reads a body before it authenticates.

    Below `small_prefix`, where strangers may send bodies, they have at most SMALL_BODY_BYTES.
    """

    def __init__(self, app: ASGIApp, *, body_bytes: int, upload_bytes: int, small_prefix: str) -> None:
        self.app = app
        self.body_bytes = body_bytes
        self.upload_bytes = upload_bytes
        self.small_prefix = small_prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request. Nothing is read of a body that announces too much."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_small = scope["path"].startswith(self.small_prefix)
        most_bytes = min(SMALL_BODY_BYTES, self.body_bytes) if is_small else self.body_bytes
        announced = Headers(scope=scope).get("content-length", "")
        expected = int(announced[:_MOST_DIGITS]) if announced.isdecimal() else 0
        bound = scope[_BOUND] = _Bound(most_bytes, self.upload_bytes, expected)
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            _check(expected, bound)
            message = await receive()
            received += len(message.get("body", b""))
            _check(received, bound)
            bound.check()
            return message

        await self.app(scope, receive_within_limit, send)


def accept_upload(request: Request, *, most_bytes: int | None = None) -> None:
    """Raise the limit of this request to that of uploads, or to `most_bytes`."""
    bound: _Bound = request.scope[_BOUND]
    bound.most_bytes = bound.upload_bytes if most_bytes is None else most_bytes


def announced_bytes(request: Request) -> int:
    """Return the size that the body of this request has by its own account; 0 where it gives none."""
    bound: _Bound = request.scope[_BOUND]
    return bound.announced_bytes


def check_while_receiving(request: Request, check: Callable[[], object]) -> None:
    """Call `check` with each piece of the body that is still to come: what it raises ends the request."""
    bound: _Bound = request.scope[_BOUND]
    bound.check = check


def _check(size_bytes: int, bound: _Bound) -> None:
    if size_bytes > bound.most_bytes:
        raise TooLarge(f"The body is larger than the {bound.most_bytes:,} bytes that we take here.")
