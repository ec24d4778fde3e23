"""Why the backend cannot start."""


class StartError(Exception):
    """One line for whoever started it: what is wrong, and what to do."""
