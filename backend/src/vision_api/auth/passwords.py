"""Passwords: hashed with bcrypt, which takes 0.2 s of CPU by design and so never runs on the event loop."""

import os
from typing import Annotated

import bcrypt
from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from pydantic import AfterValidator, Field

LONGEST_BYTES = 72
ROUNDS = 12
DUMMY_HASH = "$2b$12$Kk1CM/ZD8iGodxkK1SgRwOze5dnPDIg5sHeKkfprxq7qnBc8N6OPS"
"""A hash of no password. An unknown e-mail is compared with it, to take as long as a wrong password."""


_turns: RunVar[CapacityLimiter] = RunVar("password_turns")


def _turn() -> CapacityLimiter:
    """Return the limit of passwords at a time: one for each core. More would take the threads of all other requests."""
    turns = _turns.get(None)
    if turns is None:
        turns = CapacityLimiter(os.cpu_count() or 1)
        _turns.set(turns)
    return turns


def _fits_bcrypt(password: str) -> str:
    if len(password.encode()) > LONGEST_BYTES:
        raise ValueError(f"A password may have at most {LONGEST_BYTES} bytes (an accented letter has two or more).")
    return password


Password = Annotated[str, Field(min_length=1, examples=["correct horse battery"]), AfterValidator(_fits_bcrypt)]
NewPassword = Annotated[Password, Field(min_length=8, description="8 characters to 72 bytes.")]


async def hash_password(password: str) -> str:
    """Return a salted hash."""
    hashed = await to_thread.run_sync(bcrypt.hashpw, password.encode(), bcrypt.gensalt(ROUNDS), limiter=_turn())
    return hashed.decode()


async def verify_password(password: str, password_hash: str | None) -> bool:
    """Return whether the password belongs to the hash; None, of an unknown account, takes as long."""
    compared = (password_hash or DUMMY_HASH).encode()
    matches = await to_thread.run_sync(bcrypt.checkpw, password.encode(), compared, limiter=_turn())
    return matches and password_hash is not None
