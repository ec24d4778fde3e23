"""Errors at the start of the backend."""


class StartError(Exception):
    """The backend cannot start. The message is one line: what is wrong, and what to do."""
