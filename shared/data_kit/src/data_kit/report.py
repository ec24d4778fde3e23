"""Where readers put what they find wrong, so that a data set's owner learns of everything at once."""

from collections import Counter
from typing import Literal

from data_kit.errors import DatasetError, Finding

MAX_FINDINGS_PER_CODE = 100


class Report:
    """Collects findings. Of each kind the first hundred are kept and the rest counted."""

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._counts: Counter[tuple[Literal["error", "warning"], str]] = Counter()

    def error(self, code: str, file: str, message: str, fix: str, *, line: int | None = None) -> None:
        """Something that blocks training."""
        self._add(Finding(severity="error", code=code, file=file, line=line, message=message, fix=fix))

    def warning(self, code: str, file: str, message: str, fix: str, *, line: int | None = None) -> None:
        """Something that its owner should know, and that training survives."""
        self._add(Finding(severity="warning", code=code, file=file, line=line, message=message, fix=fix))

    def _add(self, finding: Finding) -> None:
        kind = (finding.severity, finding.code)
        self._counts[kind] += 1
        if self._counts[kind] <= MAX_FINDINGS_PER_CODE:
            self._kept.append(finding)

    @property
    def has_errors(self) -> bool:
        return any(severity == "error" for severity, _ in self._counts)

    @property
    def findings(self) -> list[Finding]:
        """All that was kept, and one finding for each kind of which there were more."""
        return self._kept + [
            Finding(
                severity=severity,
                code=code,
                file="",
                message=f"{count - MAX_FINDINGS_PER_CODE} more of this kind.",
                fix="Mend the listed ones in the same way, and look again.",
            )
            for (severity, code), count in self._counts.items()
            if count > MAX_FINDINGS_PER_CODE
        ]

    def raise_errors(self) -> None:
        """Raises DatasetError with all findings if one of them is an error."""
        if self.has_errors:
            raise DatasetError(self.findings)
