"""Constraints that requests share."""

from typing import Annotated

import pytest
from pydantic import TypeAdapter, ValidationError

from vision_api.kit.schemas import OneLine

NAME = TypeAdapter[str](Annotated[str, OneLine()])


@pytest.mark.parametrize("text", ["Mina", "가나다", "👩\u200d🔬 team", "naïve — “quoted”", "عربي", ""])
def test_names_of_every_script_are_taken(text: str) -> None:
    assert NAME.validate_python(text) == text


@pytest.mark.parametrize(
    "character", ["\n", "\r", "\t", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\u2066", "\u2069"]
)
def test_a_name_cannot_look_like_another_or_break_a_line(character: str) -> None:
    with pytest.raises(ValidationError, match=f"U\\+{ord(character):04X} may not stand in a name"):
        NAME.validate_python(f"coins{character}gpj.exe")
