"""A real training service: the kit's server, supervisor and runner with a framework that needs no library."""

import asyncio
import os
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PYTHON = ROOT / "shared/trainer_kit/.venv/bin/python"
TOKEN = "the token between the backend and the fake service"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class FakeService:
    """One instance as a process of its own. Its storage and data sets are shared with the backend."""

    folder: Path
    storage_url: str
    datasets: Path
    slots: int = 1
    port: int = field(default_factory=_free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start it; it answers a moment later."""
        environment = os.environ | {
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "SERVICE_TOKEN": TOKEN,
            "DATA_DIR": str(self.folder),
            "STORAGE_URL": self.storage_url,
            "DATASET_ROOTS": str(self.datasets),
            "SLOTS": str(self.slots),
            "OMP_NUM_THREADS": "1",
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "service.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                str(PYTHON), "-m", "trainer_kit.server", "trainer_kit.testing.fake_adapter:adapter",
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    async def end(self, by: signal.Signals = signal.SIGTERM) -> None:
        """SIGTERM pauses what runs; after SIGKILL the runners continue by themselves."""
        if self.process is not None:
            self.process.send_signal(by)
            await self.process.wait()
            self.process = None

    def log(self) -> str:
        return (self.folder / "service.log").read_text()
