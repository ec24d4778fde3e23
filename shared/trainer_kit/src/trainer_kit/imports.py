"""Names such as `timm_service.train:train`, turned into what they name."""

import importlib
from typing import Any, cast

from trainer_kit.adapter import Adapter


def import_attribute(name: str) -> Any:
    """The attribute behind `module:attribute`. Raises ValueError for a name of another form."""
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise ValueError(f"{name!r} is not of the form module:attribute.")
    return getattr(importlib.import_module(module), attribute)


def import_adapter(name: str) -> Adapter:
    """The adapter behind `module:attribute`; importing it loads no machine-learning library."""
    return cast("Adapter", import_attribute(name))
