"""A real backend as a process that a test may kill and start again."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

PASSWORD = "a long enough passphrase"
PATIENCE_SECONDS = 60.0
GUARD = "error:No network call inside a database session"
"""A warning of the backend's, as an error."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Backend:
    """`python -m vision_api` on one port and one data directory, as often as it is started."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=PATIENCE_SECONDS)

    def start(self) -> None:
        environment = {
            "DATA_DIR": str(self.folder / "data"), "SERVICES_DIR": "nowhere", "PORT": str(self.port),
            "ADMIN_PASSWORD": PASSWORD,
        }  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", GUARD, "-m", "vision_api"], env=os.environ | environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            try:
                self.client.get("/health").raise_for_status()
                return
            except httpx.TransportError:
                time.sleep(0.1)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def sign_in(self) -> None:
        credentials = {"email": "admin@example.com", "password": PASSWORD}
        token = self.client.post("/api/v1/auth/login", json=credentials).json()["access_token"]
        self.client.headers["Authorization"] = f"Bearer {token}"

    def forget_peak(self) -> int:
        """Count the peak of its memory anew; what it holds now, in bytes."""
        assert self.process is not None
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self.peak_bytes()

    def peak_bytes(self) -> int:
        """The most memory that it has held at once."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024

    def wait_until_processed(self, dataset_id: int, patience: float = PATIENCE_SECONDS) -> dict[str, Any]:
        deadline = time.monotonic() + patience
        while True:
            dataset: dict[str, Any] = self.client.get(f"/api/v1/datasets/{dataset_id}").json()
            if dataset["status"] != "processing":
                return dataset
            assert time.monotonic() < deadline, dataset
            time.sleep(0.2)
