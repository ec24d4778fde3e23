"""Conditional requests (RFC 9110)."""

from fastapi import Request, Response, status


def respond_unless_modified(request: Request, answer: Response) -> Response:
    """Return the response, or 304 without a body if `If-None-Match` has its ETag (weak comparison)."""
    given = request.headers.get("if-none-match")
    etags = {each.strip().removeprefix("W/") for each in given.split(",")} if given else set[str]()
    if not etags & {answer.headers.get("etag"), "*"}:
        return answer
    headers = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
    return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)
