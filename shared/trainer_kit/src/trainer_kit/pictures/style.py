"""Colours, fonts and sizes of plots: readable in print, and for people with red-green colour blindness."""

# matplotlib does not type its keyword arguments.
# pyright: basic

import logging
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import matplotlib
from matplotlib import font_manager
from matplotlib.figure import Figure

from data_kit.drawing import font_files
from data_kit.drawing.palette import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION

BLACK = "#222222"
LINES = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Colours of lines on white, which differ in lightness too."""
DASHES = ("-", "--", "-.", ":")
"""Line styles that distinguish lines beside their colours, for print in grey."""

GREY, PALE = "#767676", "#D9D9D9"
HEAT = "Blues"
DPI = 120


def use_fonts_for(texts: Iterable[str]) -> None:
    """Let all figures made from now on draw these texts, such as names of classes, in fonts that have their letters."""
    paths = font_files(texts)
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # many fonts have no bold letters
    for path in paths:
        font_manager.fontManager.addfont(path)
    families = [font_manager.FontProperties(fname=path).get_name() for path in paths]
    matplotlib.rcParams["font.family"] = list(dict.fromkeys(["DejaVu Sans", *families]))


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """Return an empty figure of a size in inches; the `constrained` layout keeps texts from overlapping."""
    settings: dict[str, Any] = {
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
