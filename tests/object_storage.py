"""An S3-compatible server as a process of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from platform_under_test import ROOT, Process, free_port

BUCKET = "platform"


@contextmanager
def s3_storage(folder: Path) -> Iterator[dict[str, str]]:
    """Start a server with an empty bucket; yields the settings that reach it."""
    port = free_port()
    command = (str(ROOT / "shared/data_kit/.venv/bin/python"), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    server = Process("s3", command, {}, folder / "s3.log")
    url = f"http://127.0.0.1:{port}"
    server.start()
    try:
        server.wait_until_it_answers(f"{url}/moto-api/")
        httpx.put(f"{url}/{BUCKET}").raise_for_status()
        yield {
            "STORAGE_URL": f"s3://{BUCKET}/storage", "AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        }  # fmt: skip
    finally:
        server.kill()
