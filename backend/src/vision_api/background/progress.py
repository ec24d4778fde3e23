"""Progress of a row's processing."""


class Stopped(Exception):
    """The processing was stopped: its result is no longer needed."""


class Progress:
    """Latest stage and percent: reported from any thread, read once a second to be written into the row."""

    def __init__(self) -> None:
        self.latest: tuple[str, int | None] = ("fetching", None)
        self.is_stopped = False

    def report(self, stage: str, percent: int | None) -> None:
        """Set the stage and its percent. Raises Stopped once the processing shall end."""
        if self.is_stopped:
            raise Stopped
        self.latest = (stage, percent)

    def report_bytes(self, stage: str, done: int, total: int) -> None:
        """Report the percent of `total` bytes. Raises Stopped."""
        self.report(stage, min(100, 100 * done // max(total, 1)))
