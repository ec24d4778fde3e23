"""Pictures with labels: one way for those of a data set and for those that a model predicts.

A class has the same colour in all of them, and its name a font that has its characters.
"""

from data_kit.drawing.captions import Caption
from data_kit.drawing.fonts import font_files
from data_kit.drawing.names import draw_names
from data_kit.drawing.palette import Color, color_of
from data_kit.drawing.rows import Row, with_bars, with_legend
from data_kit.drawing.shapes import Shape, draw_frame, draw_shapes

__all__ = [
    "Caption",
    "Color",
    "Row",
    "Shape",
    "color_of",
    "draw_frame",
    "draw_names",
    "draw_shapes",
    "font_files",
    "with_bars",
    "with_legend",
]
