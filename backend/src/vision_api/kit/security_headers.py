"""Headers that tell browsers what an answer may not be used for."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""Content-Security-Policy of everything that is no page: an artifact that is HTML or SVG runs nothing."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": DATA_POLICY,
}


class SecurityHeaders:
    """Adds the headers to every answer that does not set them itself, and forbids caches to keep what has tokens."""

    def __init__(self, app: ASGIApp, *, secret_prefix: str) -> None:
        self.app = app
        self.secret_prefix = secret_prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith(self.secret_prefix):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self.app(scope, receive, send_with_headers)
