"""A collector of findings, so that a data set's owner learns of everything at once."""

import unicodedata
from collections import Counter
from typing import Literal

from data_kit.errors import DatasetError, Finding

MAX_FINDINGS_PER_CODE = 100
MAX_TEXT = 400


def is_clean(text: str) -> bool:
    """Return whether it is valid Unicode without control characters, as names, databases and JSON need it."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def _one_line(text: str) -> str:
    """Return the text, which may quote a user's file, on one line of bounded length."""
    text = text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT // 2]} … {text[-MAX_TEXT // 2 :]}"
    return text if is_clean(text) else "".join(character if is_clean(character) else "?" for character in text)


class FindingCollector:
    """Collector of findings. Of each kind the first hundred are kept and the rest counted."""

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._counts: Counter[tuple[Literal["error", "warning"], str]] = Counter()

    def error(self, code: str, file: str, message: str, fix: str, *, line: int | None = None) -> None:
        """Add a finding that blocks training."""
        self._add(Finding(severity="error", code=code, file=file, line=line, message=message, fix=fix))

    def warning(self, code: str, file: str, message: str, fix: str, *, line: int | None = None) -> None:
        """Add a finding that does not block training."""
        self._add(Finding(severity="warning", code=code, file=file, line=line, message=message, fix=fix))

    def _add(self, finding: Finding) -> None:
        kind = (finding.severity, finding.code)
        self._counts[kind] += 1
        if self._counts[kind] <= MAX_FINDINGS_PER_CODE:
            texts = {name: _one_line(getattr(finding, name)) for name in ("file", "message", "fix")}
            self._kept.append(finding.model_copy(update=texts))

    @property
    def has_errors(self) -> bool:
        return any(severity == "error" for severity, _ in self._counts)

    @property
    def collected(self) -> list[Finding]:
        """The findings that were kept, and one more for each kind of which there were too many."""
        return self._kept + [
            Finding(
                severity=severity,
                code=code,
                file="",
                message=f"{count - MAX_FINDINGS_PER_CODE} more of this kind.",
                fix="Fix them in the same way as the listed ones, and check again.",
            )
            for (severity, code), count in self._counts.items()
            if count > MAX_FINDINGS_PER_CODE
        ]

    def raise_errors(self) -> None:
        """Raise DatasetError with all findings if one of them is an error."""
        if self.has_errors:
            raise DatasetError(self.collected)
