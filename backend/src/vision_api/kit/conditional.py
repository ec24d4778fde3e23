"""Conditional requests (RFC 9110, 13)."""

import re
from http import HTTPStatus

from fastapi import Request, Response

_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')
"""A tag in quotation marks, which may hold commas; the mark of weak ones is left out."""


def is_known(request: Request, etag: str) -> bool:
    """Return whether `If-None-Match` has the tag: in a list, weak or strong (13.1.2), or as `*`, which is any."""
    given = ",".join(request.headers.getlist("if-none-match"))
    return given.strip() == "*" or etag.removeprefix("W/") in _ENTITY_TAG.findall(given)


def respond_unless_modified(request: Request, answer: Response) -> Response:
    """Return the response, or 304 without a body if the client has the content of its ETag."""
    etag = answer.headers.get("etag")
    if etag is None or not is_known(request, etag):
        return answer
    headers = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
