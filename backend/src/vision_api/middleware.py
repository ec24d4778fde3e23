"""Middleware of every request: its id, its line in the access log, and a problem instead of a bare 500."""

import logging
import re
import time
from urllib.parse import quote, unquote
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from http_kit.problems import problem_response
from http_kit.request_metrics import RequestMetrics
from vision_api.errors import ApiError
from vision_api.kit.logging import redact, request_id_var, user_id_var
from vision_api.kit.tracing import annotate

log = logging.getLogger("vision_api.access")

_REQUEST_ID = re.compile(r"[\w.\-]{1,64}", re.ASCII)
_QUIET_PATHS = frozenset({"/health", "/ready", "/metrics"})


class RequestContext:
    """Gives each request its id, logs its outcome, and turns unhandled exceptions into a problem."""

    def __init__(self, app: ASGIApp, *, metrics: RequestMetrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        token, user_token = request_id_var.set(request_id), user_id_var.set(None)
        annotate(request_id=request_id)
        started_at, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = 0  # the client is gone
        except Exception:
            log.exception("%s failed", _flow(scope))
            if status:
                raise  # half a response is out already: let the server cut the connection
            await problem_response(_internal_error(request_id).problem())(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started_at
            self.metrics.add(_flow(scope), status, seconds)
            _log_request(scope, status, seconds)
            user_id_var.reset(user_token)
            request_id_var.reset(token)


def _internal_error(request_id: str) -> ApiError:
    return ApiError(f"Something went wrong on our side. The log knows more under the request id {request_id}.")


def _flow(scope: Scope) -> str:
    """Return the flow that a request belongs to: `auth.login`, or `-` if no route took it."""
    route = scope.get("route")
    tags: list[str] = getattr(route, "tags", None) or ["-"]
    return f"{tags[0].replace(' ', '_')}.{route.name}" if route is not None and hasattr(route, "name") else "-"


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    """Log a line such as `projects.list_projects  GET /api/v1/projects → 200 in 4 ms, user 7 at 192.0.2.1`.

    The query is logged decoded: `?%74icket=` must not hide a secret from the redaction.
    """
    query = unquote(scope["query_string"].decode("latin-1"))
    path = redact(scope["path"] + (f"?{query}" if query else ""))
    level = logging.DEBUG if scope["path"] in _QUIET_PATHS else logging.INFO
    user_id, client = user_id_var.get(), scope.get("client")
    log.log(
        level, "%-26s %s %s → %s in %.0f ms, %s at %s",
        _flow(scope), scope["method"], path, status or "cut", seconds * 1000,
        f"user {user_id}" if user_id is not None else "nobody", client[0] if client else "an unknown address",
    )  # fmt: skip


class HttpsOnly:
    """Redirects to HTTPS, and asks browsers to stay there (HSTS). Probes of the platform may use HTTP.

    A redirect leads to `public_url`, never to a host that the request names; an empty one redirects nothing.
    """

    def __init__(self, app: ASGIApp, *, public_url: str, hsts_seconds: int) -> None:
        self.app = app
        self.public_url = public_url
        self.hsts = f"max-age={hsts_seconds}; includeSubDomains" if hsts_seconds else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request. Behind a trusted proxy the scheme is the one that the proxy reports."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["scheme"] == "https":
            await self.app(scope, receive, self._with_hsts(send))
        elif self.public_url and scope["path"] not in _QUIET_PATHS:
            query = scope["query_string"].decode("latin-1")
            secure = f"{self.public_url}{quote(scope['path'])}{'?' if query else ''}{query}"
            await RedirectResponse(secure, status_code=308)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _with_hsts(self, send: Send) -> Send:
        async def send_with_hsts(message: Message) -> None:
            if self.hsts and message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Strict-Transport-Security"] = self.hsts
            await send(message)

        return send_with_hsts
