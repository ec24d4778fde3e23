"""Limit of the time that a body may take: a client that sends next to nothing would hold a connection for ever."""

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vision_api.errors import TooSlow

WINDOW_SECONDS = 30.0
LEAST_BYTES_PER_SECOND = 1024


class BodyRate:
    """Answers 408 to a body that arrives at less than LEAST_BYTES_PER_SECOND over WINDOW_SECONDS.

    Below `patient_prefix` a body may be slower, as long as it moves. Only time spent waiting for the client counts, and
    only until the body has arrived: a stream's request is complete before the stream begins.
    """

    def __init__(self, app: ASGIApp, *, patient_prefix: str, window_seconds: float = WINDOW_SECONDS) -> None:
        self.app = app
        self.patient_prefix = patient_prefix
        self.window_seconds = window_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_patient = scope["path"].startswith(self.patient_prefix)
        least_bytes = 1 if is_patient else int(LEAST_BYTES_PER_SECOND * self.window_seconds)
        waited, received, is_complete = 0.0, 0, False

        async def receive_in_time() -> Message:
            nonlocal waited, received, is_complete
            if is_complete:
                return await receive()
            started_at = time.monotonic()
            try:
                async with asyncio.timeout(self.window_seconds - waited):
                    message = await receive()
            except TimeoutError:
                raise _too_slow() from None
            waited += time.monotonic() - started_at
            received += len(message.get("body", b""))
            is_complete = message["type"] != "http.request" or not message.get("more_body", False)
            if waited >= self.window_seconds and received < least_bytes and not is_complete:
                raise _too_slow()
            if waited >= self.window_seconds or (is_patient and received):
                waited, received = 0.0, 0
            return message

        await self.app(scope, receive_in_time, send)


def _too_slow() -> TooSlow:
    detail = "The body of this request arrives too slowly. Send it again; send large files by resumable upload."
    return TooSlow(detail, headers={"Connection": "close"})
