"""The processes that train one network together, each on a device of its own (data parallel).

Each trains on its share of the images, and they average their gradients. The first one alone reports, validates, saves
checkpoints and checks for stops: all end at the step at which it ends.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

HOST = "127.0.0.1"
PEER_TIMEOUT = timedelta(days=7)
"""Time that a process waits for the others, such as while the first validates. `replicas` detects those that died."""


@dataclass(frozen=True)
class World:
    """The rank of this process, and the size of its process group; a training on one device has a world of size 1."""

    rank: int = 0
    size: int = 1
    port: int = 0
    """Port of the first process on loopback, at which they meet."""
    listening_fd: int | None = None
    """Listening socket of that port; None except in the first process."""

    @property
    def is_main(self) -> bool:
        """True for the process that reports, validates and saves checkpoints."""
        return self.rank == 0

    def environment(self) -> dict[str, str]:
        """Return the environment variables that torchrun would set."""
        rank, size = str(self.rank), str(self.size)
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
        return place | {"MASTER_ADDR": HOST, "MASTER_PORT": str(self.port), "GLOO_SOCKET_IFNAME": "lo"}

    def join(self, torch: Any, device: Any) -> None:
        """Join torch's process group, by NCCL on GPUs and by gloo on the CPU; a world of size 1 does nothing. `torch`
        is the library, which the kit itself never imports, and `device` the torch.device of this process.
        """
        if self.size == 1:
            return
        if device.type == "cuda":
            torch.cuda.set_device(device)
        else:
            torch.set_num_threads(max(1, torch.get_num_threads() // self.size))
        backend = "nccl" if device.type == "cuda" else "gloo"
        place: dict[str, Any] = {"is_master": self.is_main, "master_listen_fd": self.listening_fd}
        store = torch.distributed.TCPStore(HOST, self.port, self.size, timeout=PEER_TIMEOUT, **place)
        torch.distributed.init_process_group(
            backend, store=store, rank=self.rank, world_size=self.size, timeout=PEER_TIMEOUT
        )
