"""Where readers put what they find wrong, so that a data set's owner learns of everything at once."""

import unicodedata
from collections import Counter
from typing import Literal

from data_kit.errors import DatasetError, Finding

MAX_FINDINGS_PER_CODE = 100
MAX_SHOWN = 400


def is_clean(text: str) -> bool:
    """Valid Unicode without control characters: what a name, a database and JSON can hold."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def shown(text: str) -> str:
    """The text, which may quote a stranger's file, on one line of bounded length."""
    text = text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN // 2]} … {text[-MAX_SHOWN // 2 :]}"
    return text if is_clean(text) else "".join(character if is_clean(character) else "?" for character in text)


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
            texts = {name: shown(getattr(finding, name)) for name in ("file", "message", "fix")}
            self._kept.append(finding.model_copy(update=texts))

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
