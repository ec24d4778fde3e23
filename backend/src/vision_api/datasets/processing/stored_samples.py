"""Samples as they are stored beside an archive, so that one of them can be read without the others."""

from collections.abc import Iterator, Mapping

from pydantic import TypeAdapter

from data_kit import Dataset, Instance, Sample
from vision_api.storage_layout import SAMPLES_PER_PAGE
from vision_contracts import Message


class StoredInstance(Message):
    """One object, in pixels of the upright image."""

    class_id: int
    box: tuple[float, float, float, float]
    polygons: tuple[tuple[float, ...], ...] = ()
    keypoints: tuple[tuple[float, float, int], ...] = ()


class StoredSample(Message):
    """One image: where its bytes are in the archive, and its labels."""

    name: str
    start: int
    length: int
    class_id: int | None
    instances: tuple[StoredInstance, ...]


SamplePage: TypeAdapter[tuple[StoredSample, ...]] = TypeAdapter(tuple[StoredSample, ...])


def sample_pages(dataset: Dataset, places: Mapping[str, tuple[int, int]]) -> Iterator[tuple[str, int, bytes]]:
    """Yield split, number and content of each page. `places` are start and length of each file in the archive."""
    for split, samples in dataset.splits.items():
        for page, first in enumerate(range(0, len(samples), SAMPLES_PER_PAGE)):
            some = samples[first : first + SAMPLES_PER_PAGE]
            yield split.value, page, SamplePage.dump_json(tuple(_stored(dataset, sample, places) for sample in some))


def _stored(dataset: Dataset, sample: Sample, places: Mapping[str, tuple[int, int]]) -> StoredSample:
    name = dataset.name_of(sample)
    start, length = places[name]
    instances = tuple(map(_stored_instance, sample.instances))
    return StoredSample(name=name, start=start, length=length, class_id=sample.class_id, instances=instances)


def _stored_instance(instance: Instance) -> StoredInstance:
    return StoredInstance(
        class_id=instance.class_id, box=instance.box, polygons=instance.polygons, keypoints=instance.keypoints
    )
