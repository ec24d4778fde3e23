"""Sign-ins that need not be looked up in the database for every request."""

import time
from collections import OrderedDict

CONFIRMED_FOR_SECONDS = 30.0
MOST_REMEMBERED = 10_000


class ConfirmedTokens:
    """The access tokens whose sign-in the database has confirmed a moment ago."""

    def __init__(self) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()

    def is_confirmed(self, token: str) -> bool:
        """Whether there is no need to ask again."""
        return self._until.get(token, 0.0) > time.monotonic()

    def confirm(self, token: str) -> None:
        """The database knows it."""
        self._until[token] = time.monotonic() + CONFIRMED_FOR_SECONDS
        self._until.move_to_end(token)
        if len(self._until) > MOST_REMEMBERED:
            self._until.popitem(last=False)
