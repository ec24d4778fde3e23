"""Plots of a training's report, in one style for every framework and task. Import it at the end of a training only:
matplotlib takes a second to load.
"""

from trainer_kit.pictures.drawing import Picture, draw_all

__all__ = ["Picture", "draw_all"]
