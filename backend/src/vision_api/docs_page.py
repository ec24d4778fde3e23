"""The page `/docs`: Swagger UI with its own files. FastAPI's page loads them from a host that may be out of reach."""

import base64
import hashlib
import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

ASSETS = "/docs/assets"
PARAMETERS: dict[str, Any] = {"persistAuthorization": True, "displayRequestDuration": True}


def add_docs_page(app: FastAPI) -> None:
    """Serve the page, and redirect `/` to it."""
    app.mount(ASSETS, StaticFiles(packages=[("fastapi_swagger", "resources")]), name="docs-assets")

    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=app.title,
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon-32x32.png",
        swagger_ui_parameters=PARAMETERS,
    )
    page.headers["Content-Security-Policy"] = _policy(bytes(page.body).decode())

    async def docs() -> HTMLResponse:
        return page

    async def root() -> RedirectResponse:
        return RedirectResponse("/docs")

    app.add_api_route("/docs", docs, include_in_schema=False)
    app.add_api_route("/", root, include_in_schema=False)


def _policy(page: str) -> str:
    """Return a Content-Security-Policy that allows the page its own files, and its one script by content."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    return (
        f"default-src 'self'; script-src 'self' {allowed}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
