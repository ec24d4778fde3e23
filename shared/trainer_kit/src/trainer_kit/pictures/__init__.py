"""The pictures of a report, in one look for every framework and task. Imported at the end of a training alone, since
matplotlib takes a second to load; it is the one library here that draws what print and screen both need.
"""

from trainer_kit.pictures.drawing import Picture, draw_all

__all__ = ["Picture", "draw_all"]
