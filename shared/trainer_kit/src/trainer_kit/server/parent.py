"""Detection of the end of the parent process."""

import os
import threading
from collections.abc import Callable


def watch_parent(fd: int, on_end: Callable[[], None]) -> None:
    """Call back, from a thread, once the parent has closed the other end of the pipe."""
    os.set_inheritable(fd, False)

    def watch() -> None:
        try:
            while os.read(fd, 64):
                pass
        except OSError:
            pass
        on_end()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
