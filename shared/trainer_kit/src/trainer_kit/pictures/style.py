"""Colours, fonts and paper: readable in print, and for people who do not see red and green apart."""

# matplotlib does not say what its keyword arguments are.
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
"""Okabe and Ito's, which differ in lightness too."""

PALETTE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
DASHES = ("-", "--", "-.", ":")
"""A second sign beside the colour, for print in grey."""

GREY, PALE = "#767676", "#D9D9D9"
HEAT = "Blues"
DPI = 120

HANGUL_FONTS = ("NanumGothic", "Noto Sans CJK KR", "Noto Sans KR", "Malgun Gothic", "Apple SD Gothic Neo", "UnDotum",
                "Noto Sans CJK JP", "Baekmuk Gulim")  # fmt: skip
"""What draws Korean class names, where one of them is installed."""


@cache
def _families() -> list[str]:
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in HANGUL_FONTS if name in installed)]


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """An empty sheet, in inches; with `constrained` nothing that is written lies on something else."""
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
    """As PNG. A sign that no font has becomes an empty box, without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure.savefig(path, dpi=DPI, facecolor="white")


def short(name: str, most: int = 22) -> str:
    """A name that does not push everything else off the sheet."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def shorten(names: Sequence[str], most: int = 22) -> list[str]:
    """Several of them."""
    return [short(name, most) for name in names]
