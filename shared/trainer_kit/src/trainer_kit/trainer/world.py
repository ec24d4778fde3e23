"""The processes that train one network together, each on a device of its own.

Each does the same as the others with its own share of every batch, and they average their gradients. The first alone
reports, validates, keeps checkpoints and looks at orders to stop: where it ends, at whatever step, all end.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

HOST = "127.0.0.1"
PATIENCE = timedelta(days=7)
"""How long a process waits for the others, such as while the first validates. Whether they live is looked after
elsewhere.
"""


@dataclass(frozen=True)
class World:
    """The place of this process among them; a training on one device is a world of one."""

    rank: int = 0
    size: int = 1
    port: int = 0
    """Where they meet."""
    listening_fd: int | None = None
    """The first one's socket of that port."""

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that reports, validates and keeps checkpoints."""
        return self.rank == 0

    def environment(self) -> dict[str, str]:
        """What torchrun would tell this process."""
        rank, size = str(self.rank), str(self.size)
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
        return place | {"MASTER_ADDR": HOST, "MASTER_PORT": str(self.port), "GLOO_SOCKET_IFNAME": "lo"}

    def join(self, torch: Any, device: Any) -> None:
        """Meets the others as a process group of torch, by NCCL on GPUs and by gloo on the CPU. `torch` is the library,
        which the kit itself never imports.
        """
        if self.size == 1:
            return
        if device.type == "cuda":
            torch.cuda.set_device(device)
        else:
            torch.set_num_threads(max(1, torch.get_num_threads() // self.size))
        backend = "nccl" if device.type == "cuda" else "gloo"
        place: dict[str, Any] = {"is_master": self.is_main, "master_listen_fd": self.listening_fd}
        store = torch.distributed.TCPStore(HOST, self.port, self.size, timeout=PATIENCE, **place)
        torch.distributed.init_process_group(
            backend, store=store, rank=self.rank, world_size=self.size, timeout=PATIENCE
        )
