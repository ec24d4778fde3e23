"""Findings about a data set, written so that its owner can fix it."""

from typing import Literal

from vision_contracts import Message


class Finding(Message):
    """One thing that is wrong: its place, a message, and a fix. An error blocks training, a warning does not."""

    severity: Literal["error", "warning"] = "error"
    code: str
    file: str
    """Path inside the data set; empty for the data set as a whole."""
    line: int | None = None
    message: str
    fix: str


class DatasetError(Exception):
    """A data set that cannot be trained on. `findings` has at least one error."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        first = next((f for f in findings if f.severity == "error"), findings[0])
        where = f"{first.file}:{first.line}" if first.line else first.file
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        super().__init__(f"{where}: {first.message} {first.fix}{more}".lstrip(": "))
