"""A way to an HTTP server on which requests meet faults: answers of 500, cut connections, stalls."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Fault:
    """A fault of the next `times` requests of a method whose path holds `path`."""

    method: str
    path: str = ""
    times: int = 1
    status: int | None = None
    """Answered instead of the server."""
    cut_request_at: int | None = None
    """The connection breaks once so many bytes of the request's body have come."""
    cut_answer_at: int | None = None
    """The connection breaks after so many bytes of the response's body."""
    is_answer_lost: bool = False
    """The server does what was asked for, and the connection breaks before its answer."""
    delay_seconds: float = 0.0


@dataclass
class FaultyProxy:
    """A proxy that injects faults; started by `faulty_proxy`."""

    target: str
    port: int = 0
    faults: list[Fault] = field(default_factory=list[Fault])
    requests: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    """Method, path and `Range` of each request."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, method: str, **options: object) -> Fault:
        """Append a fault."""
        fault = Fault(method, **options)  # pyright: ignore[reportArgumentType]
        self.faults.append(fault)
        return fault

    def count(self, method: str) -> int:
        """Return the number of requests of the method."""
        return sum(seen == method for seen, _, _ in self.requests)

    def meet(self, method: str, path: str, wanted_range: str) -> Fault | None:
        """Record a request, and return its fault, if any."""
        with self._lock:
            self.requests.append((method, path, wanted_range))
            for fault in self.faults:
                if fault.times > 0 and fault.method == method and fault.path in path:
                    fault.times -= 1
                    return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultyProxy

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def _relay(self) -> None:
        fault = self.proxy.meet(self.command, self.path, self.headers.get("Range", "")) or Fault(self.command)
        if fault.cut_request_at is not None:
            self.rfile.read(fault.cut_request_at)
            self._break()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(fault.delay_seconds)
        if fault.status is not None:
            self._answer(fault.status)
            return
        with _asked(self.proxy.target, self.command, self.path, body, dict(self.headers)) as answer:
            if fault.is_answer_lost:
                self._break()
            else:
                self._pass_on(answer, fault.cut_answer_at)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _relay  # noqa: N815

    def _pass_on(self, answer: HTTPResponse, cut_at: int | None) -> None:
        content = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        length = answer.headers.get("Content-Length") if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content[:cut_at])
        if cut_at is not None:
            self._break()

    def _answer(self, status: int) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _break(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def _asked(target: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> Iterator[HTTPResponse]:
    connection = HTTPConnection(urlsplit(target).netloc, timeout=30)
    try:
        connection.request(method, path, body, headers)
        yield connection.getresponse()
    finally:
        connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that give up, and a server that has ended: nothing to tell."""


@contextmanager
def faulty_proxy(target: str) -> Iterator[FaultyProxy]:
    """A proxy in front of the HTTP server at the URL `target`."""
    proxy = FaultyProxy(target)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    with _Server(("127.0.0.1", 0), handler) as server:
        proxy.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield proxy
        server.shutdown()
        thread.join()
