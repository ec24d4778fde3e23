"""Colours of classes, distinct also for people with a colour vision deficiency."""

from PIL import ImageColor

Color = tuple[int, int, int]

ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
)  # fmt: skip
"""Okabe and Ito, https://jfly.uni-koeln.de/color: distinct also for people who see no red or no green."""

PALETTE = (ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE)


def color_of(class_id: int) -> Color:
    """Return the colour of a class. After the palette come its colours mixed with white, then with black."""
    turn, index = divmod(class_id, len(PALETTE))
    red, green, blue = ImageColor.getrgb(PALETTE[index])[:3]
    share, to = ((0.0, 0), (0.5, 255), (0.4, 0))[turn % 3]
    return (_mix(red, to, share), _mix(green, to, share), _mix(blue, to, share))


def text_color(color: Color) -> str:
    """Return black or white, whichever contrasts more (Rec. 601)."""
    red, green, blue = color
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 110 else "white"


def _mix(value: int, to: int, share: float) -> int:
    return round(value * (1 - share) + to * share)
