"""Messages between the backend and the process that draws previews."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


@dataclass(frozen=True)
class Legend:
    """Meaning of labels, the same for all pictures of a data set."""

    class_names: Sequence[str]
    skeleton: Sequence[Sequence[int]] = ()
    """Pairs of keypoints with a line between."""
    is_oriented: bool = False
    """An outline of four corners is a turned box, not a mask."""


@dataclass(frozen=True)
class DrawingRequest:
    """The `row`-th image of a page of samples, `size` pixels along its longer side. Without an archive the image is
    looked up only.
    """

    page: Path
    row: int
    legend: Legend
    size: int
    archive: Path | None = None
    archive_start: int = 0
    """Place in the data set's archive of the first byte of `archive`."""


class Outcome(StrEnum):
    """Kinds of answers."""

    FOUND = "found"
    DRAWN = "drawn"
    MISSING = "missing"
    TOO_LARGE = "too_large"
    BROKEN = "broken"


@dataclass(frozen=True)
class DrawingAnswer:
    """An answer. After `drawn` follow `length` bytes of a JPEG; `found` has the image's place in the archive."""

    outcome: Outcome
    start: int = 0
    length: int = 0
    message: str = ""
