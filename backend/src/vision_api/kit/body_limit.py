"""How large a body may be: small, until a route takes an upload from somebody it knows."""

from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vision_api.errors import TooLarge

_BOUND = "vision_api.body_bound"
_MOST_DIGITS = 19
"""Of a length that anybody means; a longer one is as large."""


@dataclass
class _Bound:
    """Of one request."""

    most_bytes: int
    upload_bytes: int


class BodyLimit:
    """Bounds the body of every request, whatever type it names: FastAPI reads a body before it asks who sent it."""

    def __init__(self, app: ASGIApp, *, body_bytes: int, upload_bytes: int) -> None:
        self.app = app
        self.body_bytes = body_bytes
        self.upload_bytes = upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class. Of a body that announces too much nothing is read."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        bound = scope[_BOUND] = _Bound(self.body_bytes, self.upload_bytes)
        announced = Headers(scope=scope).get("content-length", "")
        expected = int(announced[:_MOST_DIGITS]) if announced.isdecimal() else 0
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            _check(expected, bound)
            message = await receive()
            received += len(message.get("body", b""))
            _check(received, bound)
            return message

        await self.app(scope, receive_within_limit, send)


def accept_upload(request: Request, *, most_bytes: int | None = None) -> None:
    """From here on the body may be as large as an upload, or have `most_bytes`."""
    bound: _Bound = request.scope[_BOUND]
    bound.most_bytes = bound.upload_bytes if most_bytes is None else most_bytes


def _check(size_bytes: int, bound: _Bound) -> None:
    if size_bytes > bound.most_bytes:
        # FastAPI lets only its own kind of exception out of the reading of a body.
        raise HTTPException(
            TooLarge.status, f"The body is larger than the {bound.most_bytes:,} bytes that we take here."
        )
