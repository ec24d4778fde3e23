"""Settings that an architecture has, found out when the catalogue is built and named in each card."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from timm_service.config import Hyperparameters
from trainer_kit.common_settings import setting

LARGEST_IMAGE = 1344


@dataclass(frozen=True)
class ImageSizes:
    """The square images that an architecture takes: `smallest`, and every further multiple of `step`, in pixels."""

    smallest: int
    step: int


@dataclass(frozen=True)
class Capabilities:
    """Optional settings of an architecture. Cards with the same capabilities share a schema, which `ref` names."""

    sizes: ImageSizes | None
    """Sizes that it takes; None: no other than its card's."""
    drop_path: bool
    dropout: bool

    @property
    def ref(self) -> str:
        """Such as `size_64_32-drop_path-dropout`."""
        size = f"size_{self.sizes.smallest}_{self.sizes.step}" if self.sizes else "size_fixed"
        return "-".join([size, *["drop_path"] * self.drop_path, *["dropout"] * self.dropout])

    @classmethod
    def from_ref(cls, ref: str) -> "Capabilities":
        """Parse a `ref`."""
        size, *names = ref.split("-")
        numbers = size.removeprefix("size_").split("_")
        sizes = None if numbers == ["fixed"] else ImageSizes(smallest=int(numbers[0]), step=int(numbers[1]))
        return cls(sizes, drop_path="drop_path" in names, dropout="dropout" in names)


@lru_cache
def hyperparameters_for(capabilities: Capabilities) -> type[Hyperparameters]:
    """The settings of an architecture: those that it does not have are refused, not ignored."""
    fields: dict[str, Any] = {}
    if capabilities.sizes:
        fields["image_size"] = _image_size(capabilities.sizes)
    if capabilities.drop_path:
        fields["drop_path_rate"] = _DROP_PATH_RATE
    if capabilities.dropout:
        fields["drop_rate"] = _DROP_RATE
    return create_model("Hyperparameters", __base__=Hyperparameters, __doc__="Settings of a timm training.", **fields)


def _image_size(sizes: ImageSizes) -> tuple[Any, Any]:
    number = Annotated[int, Field(ge=sizes.smallest, le=LARGEST_IMAGE, multiple_of=sizes.step)]
    return Literal["auto"] | number, setting(
        "auto",
        "Image size",
        "Side of the square image that the network sees. auto: the images' own size (the median of their shorter "
        "sides, at least 64), but not above the card's input_size. Time and memory grow with its square.",
        basic=True,
        unit="px",
    )


_DROP_PATH_RATE = (
    float,
    setting(
        0.0,
        "Stochastic depth",
        "Chance that a block of the network is skipped for an image while training.",
        ge=0,
        le=0.9,
        unit="probability",
    ),
)
_DROP_RATE = (
    float,
    setting(
        0.0,
        "Dropout",
        "Chance that a feature is left out while training, before the classifier and where the architecture has it.",
        ge=0,
        le=0.9,
        unit="probability",
    ),
)
