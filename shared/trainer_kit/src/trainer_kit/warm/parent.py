"""The warm parent: imports, then forks a runner for every request, until its service has ended or it has been idle."""

import argparse
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Iterator
from typing import NoReturn

from PIL import Image
from setproctitle import setproctitle

from trainer_kit.adapter import entry_points
from trainer_kit.imports import import_adapter, import_attribute
from trainer_kit.logs import configure_logging
from trainer_kit.settings import RunnerSettings
from trainer_kit.warm.forked_runner import run_forked
from trainer_kit.warm.requests import READY, RunnerRequest, receive_request

log = logging.getLogger(__name__)


def main(arguments: list[str] | None = None) -> int:
    """Run the process. Exit code 0 once its service has ended, or it has been idle."""
    parser = argparse.ArgumentParser(prog="trainer_kit.warm", description="Forks runners that need to import nothing.")
    parser.add_argument("--adapter", required=True)
    parser.add_argument("--requests", type=int, required=True, help="descriptor of the socket that requests come from")
    parser.add_argument("--idle-seconds", type=float, required=True)
    options = parser.parse_args(arguments)
    configure_logging(RunnerSettings().log_format)
    requests = socket.socket(fileno=options.requests)
    requests.set_inheritable(False)
    setproctitle(f"warm parent: {options.adapter}")
    warm_up(options.adapter)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps: the exit codes are not needed
    for request, lifeline in serve(requests, options.idle_seconds):
        _fork(requests, request, lifeline, options.adapter)
    return 0


def warm_up(adapter_path: str) -> None:
    """Import all that any attempt imports."""
    started_at = time.monotonic()
    adapter = import_adapter(adapter_path)
    for name in entry_points(adapter):
        import_attribute(name)
    Image.init()  # Pillow imports its formats when the first image is opened
    gc.collect()
    gc.freeze()  # collecting permanent objects would only copy shared pages
    log.info("%s is warm after %.1f s", adapter.framework, time.monotonic() - started_at)


def serve(requests: socket.socket, idle_seconds: float) -> Iterator[tuple[RunnerRequest, socket.socket]]:
    """Yield requests. After `idle_seconds` without one no more are accepted; those already sent are still served."""
    try:
        requests.send(READY)
        requests.settimeout(idle_seconds)
        while (received := receive_request(requests)) is not None:
            yield received
    except TimeoutError:
        log.info("idle for %.0f s: ending to free the memory", idle_seconds)
        requests.shutdown(socket.SHUT_RD)
        while (received := receive_request(requests)) is not None:
            yield received
    except ConnectionError:
        return  # the service is gone


def _fork(requests: socket.socket, request: RunnerRequest, lifeline: socket.socket, adapter_path: str) -> None:
    """Fork a runner. Returns in the parent only."""
    try:
        pid = os.fork()
    except OSError:
        log.exception("no runner could be forked for %s", request.folder)
        pid = -1
    if pid == 0:
        _become_runner(requests, request, lifeline, adapter_path)
    lifeline.close()


def _become_runner(
    requests: socket.socket, request: RunnerRequest, lifeline: socket.socket, adapter_path: str
) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    requests.close()
    run_forked(request, lifeline, adapter_path)
