"""Rules of stream tickets: each opens one path, for clients that cannot send an Authorization header.

The first use must come within a minute; from then on the ticket opens its path for twelve hours, because an
`EventSource` reconnects with the address that it has. A leaked address opens nothing else.
"""

from datetime import timedelta
from urllib.parse import unquote, urlsplit

from vision_api.errors import Invalid
from vision_api.kit.schemas import is_storable

PREFIX = "/api/v1"
FIRST_USE_WITHIN = timedelta(seconds=60)
LIFETIME = timedelta(hours=12)
MOST_TICKETS = 1000
"""Number of tickets of one sign-in; of more, the oldest end."""


def ticket_path(given: str) -> str:
    """Return the path of a request for `given`: decoded, without a query.

    Raises Invalid for what is not below our prefix; the prefix itself may be left out.
    """
    path = unquote(urlsplit(given).path)
    if not path.startswith("/") or not is_storable(path):
        raise Invalid("A path begins with /, such as /api/v1/training/jobs/7/events.", field="path")
    return path if path.startswith(f"{PREFIX}/") else f"{PREFIX}{path}"
