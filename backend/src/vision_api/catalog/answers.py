"""Answers of the list, kept for the next one who asks the same: most ask for the first page."""

from collections import OrderedDict

from fastapi import Request, Response, status

LARGEST_CACHE = 128

Key = tuple[bytes, str, str]


def key_of(request: Request) -> Key:
    """What an answer depends on, apart from the catalogue: the query, and the address that its links begin with."""
    return request.scope["query_string"], request.scope["scheme"], request.headers.get("host", "")


def unless_known(request: Request, answer: Response) -> Response:
    """The answer, or 304 without a body for a client that has it already (RFC 9110: weak comparison)."""
    given = request.headers.get("if-none-match")
    etags = {each.strip().removeprefix("W/") for each in given.split(",")} if given else set[str]()
    if not etags & {answer.headers.get("etag"), "*"}:
        return answer
    headers = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
    return Response(status_code=status.HTTP_304_NOT_MODIFIED, headers=headers)


class AnswerCache:
    """The answers that were asked for last."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Key, Response] = OrderedDict()

    def get(self, key: Key) -> Response | None:
        """A copy of an answer: whoever sends it may add headers."""
        known = self._answers.get(key)
        if known is None:
            return None
        self._answers.move_to_end(key)
        return _copy(known)

    def put(self, key: Key, answer: Response) -> None:
        """Keep an answer in place of the one that was asked for longest ago."""
        self._answers[key] = _copy(answer)
        if len(self._answers) > LARGEST_CACHE:
            self._answers.popitem(last=False)

    def clear(self) -> None:
        """Forget them: the catalogue has changed, or who answers has."""
        self._answers.clear()


def _copy(answer: Response) -> Response:
    copy = Response(status_code=answer.status_code)
    copy.body = answer.body
    copy.raw_headers = list(answer.raw_headers)
    return copy
