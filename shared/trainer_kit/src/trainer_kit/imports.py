"""Imports of attributes by names such as `my_service.train:train`."""

import importlib
from typing import Any, cast

from trainer_kit.adapter import Adapter


def import_attribute(name: str) -> Any:
    """Return the attribute that `module:attribute` names. Raises ValueError for a name of another form, ImportError
    and AttributeError for one that does not exist.
    """
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise ValueError(f"{name!r} is not of the form module:attribute.")
    return getattr(importlib.import_module(module), attribute)


def import_adapter(name: str) -> Adapter:
    """Return the adapter that `module:attribute` names; importing it loads no machine-learning library."""
    return cast("Adapter", import_attribute(name))
