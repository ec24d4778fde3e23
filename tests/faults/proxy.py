"""A network that can be cut, stalled and slowed down, and that can run an action when certain bytes pass."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

CHUNK_BYTES = 1 << 16
T = TypeVar("T")
Direction = Literal["request", "answer"]


@dataclass(eq=False)
class ByteTrigger:
    """An action that runs when `pattern` passes in `direction`; then the bytes are delivered or lost."""

    pattern: bytes
    direction: Direction
    action: Callable[[], object]
    is_delivered: bool
    is_triggered: threading.Event = field(default_factory=threading.Event)


class Network:
    """All proxies, in one thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
        self._thread.start()

    def add(self, name: str, target: int | Path) -> "Proxy":
        """Add a proxy to a port on loopback, or to a Unix socket."""
        proxy = Proxy(name, target, self)
        self._servers.append(self.run(proxy.listen()))
        return proxy

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.start(work).result(30)

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Proxy:
    """A TCP proxy between two parts of the platform."""

    def __init__(self, name: str, target: int | Path, network: Network) -> None:
        self.name = name
        self.port = 0
        self._target = target
        self._network = network
        self._connections: set[asyncio.Transport] = set()
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._is_cut = False
        self._delay_seconds = 0.0
        self._triggers: list[ByteTrigger] = []

    async def listen(self) -> asyncio.Server:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self, seconds: float) -> None:
        """Break every connection, and refuse new ones for a while."""
        self._network.start(self._cut(seconds))

    def stall(self, seconds: float) -> None:
        """Hold back all bytes for a while, without closing a connection."""
        self._network.start(self._stall(seconds))

    def slow(self, seconds: float, *, delay_seconds: float) -> None:
        """Delay every chunk for a while."""
        self._network.start(self._slow(seconds, delay_seconds))

    def add_trigger(self, trigger: ByteTrigger) -> None:
        self._triggers.append(trigger)

    def remove_trigger(self, trigger: ByteTrigger) -> None:
        with contextlib.suppress(ValueError):
            self._triggers.remove(trigger)

    async def _cut(self, seconds: float) -> None:
        self._is_cut = True
        for transport in list(self._connections):
            transport.abort()
        await asyncio.sleep(seconds)
        self._is_cut = False

    async def _stall(self, seconds: float) -> None:
        self._is_open.clear()
        await asyncio.sleep(seconds)
        self._is_open.set()

    async def _slow(self, seconds: float, delay_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        await asyncio.sleep(seconds)
        self._delay_seconds = 0.0

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._is_cut:
                raise ConnectionRefusedError
            if isinstance(self._target, Path):
                far_reader, far_writer = await asyncio.open_unix_connection(self._target)
            else:
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer.transport, far_writer.transport}
        self._connections |= ends
        pumps = [
            asyncio.ensure_future(self._pump(reader, far_writer, "request")),
            asyncio.ensure_future(self._pump(far_reader, writer, "answer")),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for end in ends:
                end.abort()
            self._connections -= ends

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                await self._is_open.wait()
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                if not await self._may_pass(chunk, direction):
                    return
                writer.write(chunk)
                await writer.drain()

    async def _may_pass(self, chunk: bytes, direction: Direction) -> bool:
        for trigger in list(self._triggers):
            if trigger.direction == direction and trigger.pattern in chunk and not trigger.is_triggered.is_set():
                self.remove_trigger(trigger)
                trigger.is_triggered.set()
                await asyncio.to_thread(trigger.action)
                return trigger.is_delivered
        return True
