"""The application, made by `create_app(settings)`."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from ipaddress import ip_network

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from http_kit.request_metrics import RequestMetrics
from vision_api.api_description import describe_api
from vision_api.body_guard import BodyGuard
from vision_api.config import Settings
from vision_api.datasets.uploads.tus import endpoints as resumable
from vision_api.docs_page import add_docs_page
from vision_api.error_handlers import add_error_handlers
from vision_api.kit.body_limit import BodyLimit
from vision_api.kit.body_rate import BodyRate
from vision_api.kit.security_headers import SecurityHeaders
from vision_api.kit.tracing import TELEMETRY
from vision_api.lifespan import lifespan
from vision_api.middleware import HttpsOnly, RequestContext
from vision_api.routes import PREFIX, router
from vision_api.version import VERSION

EXPOSED_HEADERS = (
    "Link",
    "X-Total-Count",
    "X-Total-Count-Capped",
    "X-Unavailable-Frameworks",
    "Location",
    "ETag",
    "Retry-After",
    "X-Request-ID",
    *resumable.EXPOSED_HEADERS,
)
ALLOWED_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-None-Match",
    "Last-Event-ID",
    "X-Request-ID",
    *resumable.ALLOWED_HEADERS,
)
REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Seconds; finer than a service's, whose requests only the backend waits for."""
DESCRIPTION = """\
Train vision models of every framework that has a training service; `GET /api/v1/models/list` has them all.

Press **Authorize** and sign in with your e-mail (as *username*) and password. Errors are `application/problem+json`
with a stable `code`; lists come in pages, with the next one's address in `Link`.

An account with a generated password must change it first, by `PATCH /api/v1/auth/me`: until then every other route
answers 403 with the code `password_change_required`.
"""


def create_app(settings: Settings, *, background: bool = True) -> FastAPI:
    """Return the application. Nothing starts before its lifespan does.

    `background=False` leaves out the first run, the training services and the loops: only HTTP and the database.
    """
    request_metrics = RequestMetrics("Requests that have ended; status 0 was cut.", REQUEST_BUCKETS)
    app = FastAPI(
        title="Vision AI Training Platform",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=partial(lifespan, settings=settings, background=background, request_metrics=request_metrics),
        telemetry=TELEMETRY,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        routes=router.routes,
    )
    app.openapi = partial(describe_api, app)  # pyright: ignore[reportAttributeAccessIssue] - how FastAPI is extended
    add_docs_page(app)
    add_error_handlers(app)
    _add_middleware(app, settings, request_metrics)
    return app


def _add_middleware(app: FastAPI, settings: Settings, request_metrics: RequestMetrics) -> None:
    """Add middleware. The last one added is the first to see a request."""
    app.add_middleware(BodyGuard)
    app.add_middleware(
        BodyLimit,
        body_bytes=settings.max_body_bytes,
        upload_bytes=settings.max_upload_bytes,
        small_prefix=f"{PREFIX}/auth/",
    )
    app.add_middleware(BodyRate, patient_prefix=f"{PREFIX}/uploads/")
    app.add_middleware(RequestContext, metrics=request_metrics)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"],
        allow_headers=ALLOWED_HEADERS,
        expose_headers=EXPOSED_HEADERS,
    )
    app.add_middleware(SecurityHeaders, secret_prefix=f"{PREFIX}/auth/")
    if settings.https_redirect or settings.hsts_seconds:
        public_url = settings.public_url if settings.https_redirect else ""
        app.add_middleware(HttpsOnly, public_url=public_url, hsts_seconds=settings.hsts_seconds)
    if settings.trusted_proxies:
        trusted = [*settings.trusted_proxies, *_as_ipv6(settings.trusted_proxies)]
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=trusted)  # pyright: ignore[reportArgumentType]


def _as_ipv6(proxies: Iterable[str]) -> Iterator[str]:
    """Yield IPv4 proxies as a socket of both protocols (`HOST=::`) reports them: `::ffff:10.0.0.1`."""
    for proxy in proxies:
        with suppress(ValueError):
            network = ip_network(proxy, strict=False)
            if network.version == 4:
                yield f"::ffff:{network.network_address}/{96 + network.prefixlen}"
