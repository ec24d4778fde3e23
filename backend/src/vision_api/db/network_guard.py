"""The rule: no network call inside a database session.

A session holds one of few connections, and on SQLite perhaps the turn of the one writer. A request to the object store
(a local folder counts as one), to a training service, or a process takes as long as it likes, and all others wait
for that connection. So look the rows up, leave the session, make the request, and write what came of it in a session of
its own.

The pool notes every check-out in the context of its task. Tasks that are begun there and threads of `to_thread` inherit
the note; it ends with the check-in, whichever task does that. A breach is a warning: tests, which make errors of
warnings, fail at it, while a user's request is slow and not refused.
"""

import warnings
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from data_kit.storage import before_request

_NOTE = "network_guard"


class NetworkInSession(RuntimeWarning):
    """A network call inside a database session."""


@dataclass(slots=True)
class _CheckOut:
    is_over: bool = False


_check_outs: ContextVar[tuple[_CheckOut, ...]] = ContextVar("check_outs", default=())


def forbid_in_session(what: str) -> None:
    """Warn of NetworkInSession if a session is open. Call it before every request to `what`."""
    if all(check_out.is_over for check_out in _check_outs.get()):
        return
    message = (
        f"No network call inside a database session: this one is to {what}. "
        "Look the rows up, leave the session, and make the request then."
    )
    warnings.warn(message, NetworkInSession, stacklevel=2)


def watch(engine: Engine) -> None:
    """Follow which connections of the engine are in use."""
    event.listen(engine, "checkout", _note)
    event.listen(engine, "checkin", _end)


def _note(_connection: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:
    check_out = entry.info[_NOTE] = _CheckOut()
    _check_outs.set((*(each for each in _check_outs.get() if not each.is_over), check_out))
    before_request.set(_forbid_store)


def _end(_connection: Any, entry: ConnectionPoolEntry) -> None:
    check_out: _CheckOut | None = entry.info.pop(_NOTE, None)
    if check_out is not None:  # a connection that fails on its way out of the pool comes back without
        check_out.is_over = True


_forbid_store = partial(forbid_in_session, "the object store")
