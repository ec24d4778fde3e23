"""Parameters of a test of which only some run in `make test`."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def variants(values: Iterable[Any], *, quick: Collection[Any]) -> list[Any]:
    """Return all `values` as parameters of a test; those that are not `quick` run in `make test-thorough` alone."""
    return [value if value in quick else pytest.param(value, marks=pytest.mark.thorough) for value in values]
