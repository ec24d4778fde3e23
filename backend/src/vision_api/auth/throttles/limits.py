"""Limits of what strangers, or one client, may do how often.

Signing in has three, which together refuse a guesser and nobody else:

- an account may fail a few times from one network: a guesser there is slowed down, its owner elsewhere is not;
- an account may fail more often overall: then only networks where it signed in lately are heard, so that a thousand
  networks guess no better than one, and the owner still comes in;
- an address may fail at many accounts: then it is heard for accounts that have not failed lately, and for those that
  signed in there, so that those who share an address with a guesser still come in.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

WINDOW = timedelta(minutes=5)
"""Time from the first attempt that is counted, after which all are forgotten."""
KNOWN_FOR = timedelta(days=30)
"""Time for which a network is known after a sign-in."""
MOST_NETWORKS = 100
"""Number of known networks of one account."""


@dataclass(frozen=True)
class Limit:
    """Number of attempts of one kind that a client may make within WINDOW. `attempts` is the kind in words."""

    name: str
    most: int
    attempts: str

    def key(self, *client: str) -> str:
        """Return the key of a client's count: no text that anybody could read an e-mail or an address from."""
        return hashlib.sha256("\0".join((self.name, *client)).encode()).hexdigest()


ACCOUNT_IN_NETWORK = Limit("account in network", 10, "attempts to sign in")
ACCOUNT = Limit("account", 100, "attempts to sign in to this account")
ADDRESS = Limit("address", 100, "attempts to sign in from your address")
REGISTRATIONS = Limit("registrations", 100, "registrations from your network")
"""A hash takes 0.2 s of CPU: these are a fifteenth of one core."""
REFUSED_REFRESHES = Limit("refused refreshes", 100, "refresh tokens that are not good")
REFRESHES = Limit("refreshes", 60, "refreshes of one sign-in")
TICKETS = Limit("tickets", 3000, "stream tickets")
"""A page of 200 pictures needs as many."""


def account_mark(email: str) -> str:
    """Return what stands for an account in the log: the first digits of its e-mail's SHA-256."""
    return hashlib.sha256(email.encode()).hexdigest()[:12]
