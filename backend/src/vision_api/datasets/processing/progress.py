"""How far the processing of a version is."""

from contextlib import suppress

from pydantic import TypeAdapter, ValidationError

from vision_api.datasets.processing.prepare import Tell

told_json: TypeAdapter[tuple[str, int | None]] = TypeAdapter(tuple[str, int | None])


class Stopped(Exception):
    """The work is no longer wanted."""


class Progress:
    """Told by whoever works, in whatever thread; read about once a second to be written into the row."""

    def __init__(self) -> None:
        self.now: tuple[str, int | None] = ("fetching", None)
        self.is_stopped = False

    def tell(self, stage: str, percent: int | None) -> None:
        """Where the work is. Raises Stopped once it shall end."""
        if self.is_stopped:
            raise Stopped
        self.now = (stage, percent)

    def tell_bytes(self, stage: str, done: int, total: int) -> None:
        """As `tell`."""
        self.tell(stage, min(100, 100 * done // max(total, 1)))


def hear(line: bytes, tell: Tell) -> None:
    """Tell what a line of the process that prepares says; a line that is not of ours says nothing."""
    with suppress(ValidationError):
        stage, percent = told_json.validate_json(line)
        tell(stage, percent)
