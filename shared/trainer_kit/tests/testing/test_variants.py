import pytest

from trainer_kit.testing.variants import variants


def test_all_but_the_quick_ones_are_thorough() -> None:
    first, second, third = variants(["a", "b", "c"], quick=["b"])
    assert (first.values, second, third.values) == (("a",), "b", ("c",))
    assert [mark.name for one in (first, third) for mark in one.marks] == ["thorough"] * 2


def test_a_quick_one_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="no variant"):
        variants(["a"], quick=["b"])
