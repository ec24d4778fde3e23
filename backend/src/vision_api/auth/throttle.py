"""Rate limit of password guesses."""

import time
from collections import deque
from collections.abc import Callable

from vision_api.errors import RateLimited

WINDOW_SECONDS = 300.0
PER_ACCOUNT = 10
PER_ADDRESS = 100
MOST_KEYS = 10_000


class LoginThrottle:
    """Counts attempts for each account and address, and for each address, over the last five minutes.

    An attempt counts before its password is checked, so that guesses sent at once count too; a right password
    takes its own back. Counts live in this process: a restart forgets them, and each replica has its own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._attempts: dict[str, deque[float]] = {}
        """Times at which each attempt expires, oldest first."""

    def attempt(self, *, email: str, address: str) -> None:
        """Count an attempt. Raises RateLimited when there were too many."""
        now = self._clock()
        self._delete_expired(now)
        for key, most in self._keys(email, address):
            times = self._attempts.get(key)
            if times and len(times) >= most:
                wait = int(times[0] - now) + 1
                raise RateLimited(f"Too many attempts to sign in. Try again in {wait} s.", retry_after_seconds=wait)
        for key, _ in self._keys(email, address):
            self._attempts.setdefault(key, deque()).append(now + WINDOW_SECONDS)

    def succeeded(self, *, email: str, address: str) -> None:
        """Reset the count of the account after a right password, and take the attempt of its address back."""
        account, whole_address = (key for key, _ in self._keys(email, address))
        self._attempts.pop(account, None)
        if self._attempts.get(whole_address):
            self._attempts[whole_address].pop()

    @staticmethod
    def _keys(email: str, address: str) -> tuple[tuple[str, int], tuple[str, int]]:
        return (f"{address} {email}", PER_ACCOUNT), (address, PER_ADDRESS)

    def _delete_expired(self, now: float) -> None:
        for key, times in list(self._attempts.items()):
            while times and times[0] <= now:
                times.popleft()
            if not times:
                del self._attempts[key]
        while len(self._attempts) > MOST_KEYS:
            del self._attempts[next(iter(self._attempts))]
