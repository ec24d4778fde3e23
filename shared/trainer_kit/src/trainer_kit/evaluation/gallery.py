"""Sample images of a validation, and its worst mistakes, with their predictions."""

import heapq
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from data_kit import Sample

MOST_IMAGES = 12
"""Limit of the samples, and of the mistakes."""


@dataclass(frozen=True, order=True)
class GalleryImage:
    """One image with its prediction, whose type depends on the task: see the evaluators' `add`."""

    rank: float
    name: str
    sample: Sample = field(compare=False)
    prediction: Any = field(compare=False)


class Gallery:
    """Keeps a sample of the images, and the most confident mistakes.

    A hash of an image's name decides whether it is in the sample, so that the same images are drawn in every epoch and
    by every framework, in any order of the images.
    """

    def __init__(self) -> None:
        self._samples: list[GalleryImage] = []
        self._mistakes: list[GalleryImage] = []

    def offer(self, sample: Sample, prediction: Any, mistake: float) -> None:
        """Keep the image if it belongs to the sample or to the worst mistakes.

        `mistake` is the confidence of a wrong prediction, or another measure of how bad it is; 0 for a correct one.
        """
        name = sample.image.name
        _keep(self._samples, GalleryImage(-float(crc32(name.encode())), name, sample, prediction))
        if mistake > 0:
            _keep(self._mistakes, GalleryImage(mistake, name, sample, prediction))

    @property
    def samples(self) -> list[GalleryImage]:
        return sorted(self._samples, key=lambda shown: shown.name)

    @property
    def mistakes(self) -> list[GalleryImage]:
        """The worst first."""
        return sorted(self._mistakes, reverse=True)


def _keep(heap: list[GalleryImage], shown: GalleryImage) -> None:
    if len(heap) < MOST_IMAGES:
        heapq.heappush(heap, shown)
    elif heap[0] < shown:
        heapq.heapreplace(heap, shown)
