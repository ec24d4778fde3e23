"""Cache of verified access tokens, which need no look-up in the database for every request."""

import time
from collections import OrderedDict

VERIFIED_FOR_SECONDS = 30.0
LARGEST_CACHE = 10_000
"""Number of tokens: 4 MB, since only tokens that we have signed are kept."""


class VerifiedTokens:
    """Access tokens whose sign-in was verified less than 30 s ago."""

    def __init__(self) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()

    def is_verified(self, token: str) -> bool:
        """Return whether the token was verified recently."""
        return self._until.get(token, 0.0) > time.monotonic()

    def add(self, token: str) -> None:
        """Add a token that has just been verified."""
        self._until[token] = time.monotonic() + VERIFIED_FOR_SECONDS
        self._until.move_to_end(token)
        if len(self._until) > LARGEST_CACHE:
            self._until.popitem(last=False)
