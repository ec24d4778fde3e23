"""Colours, fonts and sizes of plots: readable in print, and for people with red-green colour blindness."""

# matplotlib does not type its keyword arguments.
# pyright: basic

import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure

BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#222222",
)  # fmt: skip
"""Colours of Okabe and Ito, which differ in lightness too."""

PALETTE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
DASHES = ("-", "--", "-.", ":")
"""Line styles that distinguish lines beside their colours, for print in grey."""

GREY, PALE = "#767676", "#D9D9D9"
HEAT = "Blues"
DPI = 120

HANGUL_FONTS = ("NanumGothic", "Noto Sans CJK KR", "Noto Sans KR", "Malgun Gothic", "Apple SD Gothic Neo", "UnDotum",
                "Noto Sans CJK JP", "Baekmuk Gulim")  # fmt: skip
"""Fonts for Korean class names; those that are installed are used."""


@cache
def _families() -> list[str]:
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in HANGUL_FONTS if name in installed)]


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """Return an empty figure of a size in inches; the `constrained` layout keeps texts from overlapping."""
    settings: dict[str, Any] = {
        "font.family": _families(),
        "font.size": 9,
        "axes.edgecolor": GREY,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "grid.color": PALE,
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "text.parse_math": False,  # a class may be called $
    }
    matplotlib.rcParams.update(settings)  # pyright: ignore[reportCallIssue, reportArgumentType] - names as strings
    return Figure(figsize=(width, height), layout=layout)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG. A character that no font has becomes an empty box, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure.savefig(path, dpi=DPI, facecolor="white")


def short(name: str, most: int = 22) -> str:
    """Truncate a name to `most` characters."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def shorten(names: Sequence[str], most: int = 22) -> list[str]:
    """Truncate each of the names to `most` characters."""
    return [short(name, most) for name in names]
