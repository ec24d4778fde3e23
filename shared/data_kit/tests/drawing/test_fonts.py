"""Names are drawn in fonts that have their characters, with the fonts of this machine and without any."""

import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_kit.drawing import font_files, fonts
from data_kit.drawing.fonts import FittedText, fit_text

SCRIPTS = (
    "coin", "고양이", "猫と犬", "苹果树", "قطة", "กล้วย", "बिल्ली", "חתול", "Кошка", "고양이 قطة e\u0301",
    "👩‍👧 a\u200db\ufe0f",
)  # fmt: skip
CACHED = (fonts._files, fonts._file_with, fonts._has_glyph)  # pyright: ignore[reportPrivateUsage]


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fonts, "FOLDERS", ())
    for function in CACHED:
        function.cache_clear()
    yield
    for function in CACHED:
        function.cache_clear()


def has_letters(fitted: FittedText) -> bool:
    """Return whether no character is drawn as its font draws those that it lacks."""
    return all(
        character.isspace() or bytes(font.getmask(character)) != bytes(font.getmask("\U0010ffff"))
        for text, font in fitted.parts
        for character in unicodedata.normalize("NFC", text)
        if not unicodedata.combining(character) and unicodedata.category(character) not in {"Mn", "Mc"}
    )


@pytest.mark.parametrize("text", SCRIPTS)
def test_a_name_has_all_letters_or_gives_way_to_its_number(text: str) -> None:
    fitted = fit_text(text, 16, fallback="#7", tail=" 0.93")

    assert has_letters(fitted)
    assert fitted.text.endswith(" 0.93")
    assert fitted.text == "#7 0.93" or fitted.text[0] == unicodedata.normalize("NFC", text)[0]


@given(st.text())
def test_any_text_can_be_fitted(text: str) -> None:
    fitted = fit_text(text, 12, fallback="#7", width=60)

    assert fitted.text
    assert fitted.width <= 60 or len(fitted.text) <= 2


def test_a_name_in_decomposed_letters_is_composed() -> None:
    """Folders of a Mac are named so."""
    composed = fit_text("고양이é", 16, fallback="#7")

    assert fit_text(unicodedata.normalize("NFD", "고양이é"), 16, fallback="#7").text == composed.text


@pytest.mark.usefixtures("no_fonts")
def test_without_fonts_latin_letters_are_left() -> None:
    assert fit_text("동전", 12, fallback="#7").text == "#7"
    assert fit_text("coin", 12, fallback="#7").text == "coin"
    assert font_files(["coin", "동전"]) == []


def test_a_long_name_is_cut_before_its_number() -> None:
    fitted = fit_text("a name of a class " * 9, 16, fallback="#7", tail=" 93%", width=150)

    assert 100 < fitted.width <= 150
    assert fitted.text.startswith("a name")
    assert fitted.text.endswith(" 93%")
