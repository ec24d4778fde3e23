"""Parameters of a test of which only some run in `make test`."""

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def variants(values: Iterable[Any], *, quick: Collection[Any]) -> list[Any]:
    """Return all `values` as parameters of a test; those that are not `quick` run in `make test-thorough` alone.

    Raises ValueError if one that is to be quick is not among them.
    """
    known = list(values)
    if unknown := [value for value in quick if value not in known]:
        raise ValueError(f"There is no variant {unknown}.")
    return [value if value in quick else pytest.param(value, marks=pytest.mark.thorough) for value in known]
