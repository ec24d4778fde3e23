"""The few images of a validation that are worth looking at, with what was predicted of them."""

import heapq
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from data_kit import Sample

MOST_IMAGES = 12
"""Of each kind."""


@dataclass(frozen=True, order=True)
class GalleryImage:
    """One image. What `prediction` is depends on the task: see the evaluators."""

    rank: float
    name: str
    sample: Sample = field(compare=False)
    prediction: Any = field(compare=False)


class Gallery:
    """Keeps some images as they come, and the most confident mistakes.

    A number made of an image's name decides whether it is shown: so they are the same images in every epoch and of
    every framework, in whatever order they come.
    """

    def __init__(self) -> None:
        self._samples: list[GalleryImage] = []
        self._mistakes: list[GalleryImage] = []

    def offer(self, sample: Sample, prediction: Any, mistake: float) -> None:
        """`mistake` is how sure a wrong prediction was; 0 where nothing is wrong."""
        name = sample.image.name
        _keep(self._samples, GalleryImage(-float(crc32(name.encode())), name, sample, prediction))
        if mistake > 0:
            _keep(self._mistakes, GalleryImage(mistake, name, sample, prediction))

    @property
    def samples(self) -> list[GalleryImage]:
        return sorted(self._samples, key=lambda shown: shown.name)

    @property
    def mistakes(self) -> list[GalleryImage]:
        """The surest first."""
        return sorted(self._mistakes, reverse=True)


def _keep(heap: list[GalleryImage], shown: GalleryImage) -> None:
    if len(heap) < MOST_IMAGES:
        heapq.heappush(heap, shown)
    elif heap[0] < shown:
        heapq.heapreplace(heap, shown)
