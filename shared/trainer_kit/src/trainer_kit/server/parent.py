"""Notices the end of the process that has started this one."""

import os
import threading
from collections.abc import Callable


def watch_parent(fd: int, when_it_ends: Callable[[], None]) -> None:
    """Calls back, from a thread, once the other end of the pipe is closed: nobody needs this process any more."""
    os.set_inheritable(fd, False)

    def watch() -> None:
        try:
            while os.read(fd, 64):
                pass
        except OSError:
            pass
        when_it_ends()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
