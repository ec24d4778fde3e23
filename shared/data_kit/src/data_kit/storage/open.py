"""Opening of stores by their URL."""

import os
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from obstore.store import LocalStore, from_url

from data_kit.storage.errors import InvalidKey
from data_kit.storage.requests import request
from data_kit.storage.store import ObjectStore


@dataclass(frozen=True)
class Timeouts:
    """Time limits of a store that is not this machine's disk."""

    connect: timedelta = timedelta(seconds=5)
    silence: timedelta = timedelta(seconds=30)
    """Longest time without one byte of an answer."""
    request: timedelta = timedelta(minutes=5)
    retries: int = 5
    total: timedelta = timedelta(minutes=2)
    """Time after which a request is not retried."""


def open_store(url: str, timeouts: Timeouts | None = None) -> ObjectStore:
    """Open the store at a URL: `file:///folder`, `s3://bucket/prefix`, `gs://…` or `az://…`.

    Credentials and addresses come from the environment as those services name them (`AWS_ACCESS_KEY_ID`,
    `AWS_ENDPOINT_URL`, …). Raises InvalidKey for a URL of another kind.
    """
    timeouts = timeouts or Timeouts()
    parts = urlsplit(url)
    if parts.scheme == "file":
        return ObjectStore(url, LocalStore(Path(unquote(parts.path)), automatic_cleanup=True, mkdir=True))
    if parts.scheme not in {"s3", "gs", "az"} or not parts.netloc:
        raise InvalidKey(f"{url} is no storage URL: write file:///folder or s3://bucket/prefix.")
    is_plain_http = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    with request(url):
        backend = from_url(
            url,
            client_options={
                "allow_http": is_plain_http,
                "connect_timeout": timeouts.connect,
                "timeout": timeouts.request,
                "read_timeout": timeouts.silence,
            },
            retry_config={"max_retries": timeouts.retries, "retry_timeout": timeouts.total},
        )
    return ObjectStore(url, backend)
