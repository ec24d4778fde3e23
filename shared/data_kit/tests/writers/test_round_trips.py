"""A data set that is written and read again is the same one, through any formats, round and round.

Texts hold nine digits of each number, so nothing moves by more than a ten-thousandth of a pixel, in pictures of 4,000
pixels and after six conversions. What a format cannot hold is not a part of this: VOC knows boxes only and no class
without one; YOLO and VOC know no crowds; and of an object in several parts YOLO makes one outline with bridges.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from building import BOX, put_image, put_yolo
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from data_kit import (
    Dataset,
    Instance,
    Polygon,
    Sample,
    Split,
    load_image,
    open_dataset,
    write_coco,
    write_imagefolder,
    write_voc,
    write_yolo,
)
from data_kit.geometry import area, polygon_instance
from vision_contracts import DatasetFormat, TaskType

WIDTH, HEIGHT = 64, 48
LARGE = 62.5
"""Factor by which the largest image is larger."""
CLASSES = ("cat", "dog")


def coordinates(side: int) -> st.SearchStrategy[float]:
    return st.floats(0, side, width=32).map(lambda value: round(value, 3))


@st.composite
def boxes(draw: st.DrawFn) -> Instance:
    x1, y1 = draw(coordinates(WIDTH - 2)), draw(coordinates(HEIGHT - 2))
    x2 = draw(st.floats(x1 + 1, WIDTH))
    y2 = draw(st.floats(y1 + 1, HEIGHT))
    return Instance(draw(st.integers(0, 1)), (x1, y1, x2, y2))


@st.composite
def outlined(draw: st.DrawFn, corners: int) -> Instance:
    box = draw(boxes())
    (x1, y1, x2, y2) = box.box
    inner = draw(st.lists(st.tuples(st.floats(x1, x2), st.floats(y1, y2)), min_size=corners - 3, max_size=corners - 3))
    points = [(x1, y1), (x2, y1), (x2, y2), *inner]
    polygon: Polygon = tuple(value for point in points for value in point)
    assume(area(polygon) > 0.01)  # readers leave out what is but a line
    return polygon_instance(box.class_id, [polygon])


@st.composite
def posed(draw: st.DrawFn) -> Instance:
    box = draw(boxes())
    point = st.tuples(coordinates(WIDTH), coordinates(HEIGHT), st.sampled_from([1, 2])) | st.just((0.0, 0.0, 0))
    return Instance(box.class_id, box.box, keypoints=tuple(draw(st.lists(point, min_size=3, max_size=3))))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return put_image(tmp_path_factory.mktemp("image") / "a.png", (WIDTH, HEIGHT))


@pytest.fixture(scope="module")
def large_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("image") / "large.png"
    Image.new("L", (int(WIDTH * LARGE), int(HEIGHT * LARGE))).save(path)
    return path


def dataset_of(image: Path, task: TaskType, samples: list[list[Instance]]) -> Dataset:
    first, *rest = [Sample(image, WIDTH, HEIGHT, instances=tuple(instances)) for instances in samples]
    dataset = Dataset(
        image.parent, DatasetFormat.YOLO, frozenset({task}), CLASSES, {Split.TRAIN: [first], Split.VAL: rest}
    )
    if task is not TaskType.POSE_ESTIMATION:
        return dataset
    names = ("nose", "left_eye", "right_eye")
    return replace(dataset, keypoint_names=names, keypoint_flip=(0, 2, 1), skeleton=((0, 1), (0, 2)))


def in_numbers(dataset: Dataset) -> Iterator[tuple[object, ...]]:
    """Return all labels of objects, to a ten-thousandth of a pixel."""
    for split, samples in sorted(dataset.splits.items()):
        for sample in samples:
            yield split, sample.width, sample.height, len(sample.instances)
            for instance in sample.instances:
                yield dataset.class_names[instance.class_id], instance.is_crowd
                for values in (instance.box, *instance.polygons, *instance.keypoints, instance.corners or ()):
                    yield tuple(pytest.approx(value, abs=1e-4) for value in values)


def yolo(task: TaskType) -> Callable[[Dataset, Path], Path]:
    return lambda dataset, folder: write_yolo(dataset, folder, task)


CASES = {
    "yolo boxes": (boxes(), TaskType.OBJECT_DETECTION, yolo(TaskType.OBJECT_DETECTION)),
    "yolo outlines": (outlined(6), TaskType.INSTANCE_SEGMENTATION, yolo(TaskType.INSTANCE_SEGMENTATION)),
    "yolo corners": (outlined(4), TaskType.ORIENTED_OBJECT_DETECTION, yolo(TaskType.ORIENTED_OBJECT_DETECTION)),
    "yolo poses": (posed(), TaskType.POSE_ESTIMATION, yolo(TaskType.POSE_ESTIMATION)),
    "coco boxes": (boxes(), TaskType.OBJECT_DETECTION, write_coco),
    "coco outlines": (outlined(6), TaskType.INSTANCE_SEGMENTATION, write_coco),
    "coco corners": (outlined(4), TaskType.ORIENTED_OBJECT_DETECTION, write_coco),
    "coco poses": (posed(), TaskType.POSE_ESTIMATION, write_coco),
    "voc boxes": (boxes(), TaskType.OBJECT_DETECTION, write_voc),
}


@pytest.mark.parametrize("case", CASES)
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_labels_survive_writing_and_reading(case: str, image: Path, data: st.DataObject) -> None:
    objects, task, write = CASES[case]
    some = st.lists(objects, min_size=1, max_size=4, unique_by=lambda instance: instance.box)
    dataset = dataset_of(image, task, data.draw(st.lists(some, min_size=2, max_size=3)))

    with tempfile.TemporaryDirectory() as folder:
        write(dataset, Path(folder))
        read = open_dataset(Path(folder))

    assert list(in_numbers(read)) == list(in_numbers(dataset))
    assert task in read.task_types
    assert about_keypoints(read) == about_keypoints(dataset)


def about_keypoints(dataset: Dataset) -> tuple[object, ...]:
    return dataset.keypoint_names, dataset.keypoint_flip, dataset.skeleton


def enlarged(dataset: Dataset, image: Path) -> Dataset:
    def scale(values: Sequence[float]) -> tuple[float, ...]:
        return tuple(value * LARGE for value in values)

    def enlarge(one: Instance) -> Instance:
        x1, y1, x2, y2 = scale(one.box)
        return replace(
            one,
            box=(x1, y1, x2, y2),
            polygons=tuple(map(scale, one.polygons)),
            corners=scale(one.corners) if one.corners else None,
            keypoints=tuple((x * LARGE, y * LARGE, seen) for x, y, seen in one.keypoints),
        )

    return replace(
        dataset,
        root=image.parent,
        splits={
            split: [
                Sample(image, int(WIDTH * LARGE), int(HEIGHT * LARGE), instances=tuple(map(enlarge, sample.instances)))
                for sample in samples
            ]
            for split, samples in dataset.splits.items()
        },
    )


TRIPS = {
    TaskType.OBJECT_DETECTION: (boxes(), (yolo(TaskType.OBJECT_DETECTION), write_coco, write_voc)),
    TaskType.INSTANCE_SEGMENTATION: (outlined(6), (yolo(TaskType.INSTANCE_SEGMENTATION), write_coco)),
    TaskType.ORIENTED_OBJECT_DETECTION: (outlined(4), (yolo(TaskType.ORIENTED_OBJECT_DETECTION), write_coco)),
    TaskType.POSE_ESTIMATION: (posed(), (yolo(TaskType.POSE_ESTIMATION), write_coco)),
}


@pytest.mark.parametrize("task", TRIPS)
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_any_formats_one_after_another_lose_nothing(
    task: TaskType, image: Path, large_image: Path, data: st.DataObject
) -> None:
    objects, writers = TRIPS[task]
    some = st.lists(objects, min_size=1, max_size=4, unique_by=lambda instance: instance.box)
    first = dataset_of(image, task, data.draw(st.lists(some, min_size=2, max_size=3)))
    if data.draw(st.booleans()):
        first = enlarged(first, large_image)
    content = first[Split.TRAIN][0].image.read_bytes()

    with tempfile.TemporaryDirectory() as folder:
        read = first
        for step, write in enumerate(data.draw(st.lists(st.sampled_from(writers), min_size=2, max_size=6))):
            write(read, Path(folder, str(step)))
            read = open_dataset(Path(folder, str(step)))

            assert list(in_numbers(read)) == list(in_numbers(first))
            assert task in read.task_types
            assert about_keypoints(read) == about_keypoints(first)
            assert all(sample.image.read_bytes() == content for split in read.splits.values() for sample in split)


def test_unusual_pictures_look_the_same_after_every_conversion(tmp_path: Path) -> None:
    root = put_yolo(tmp_path / "in", [f"{BOX}\n1 0.2 0.3 0.1 0.2"] * 3, [BOX])
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.linear_gradient("L").resize((30, 20)).convert("RGB")
    turned.save(root / "images/train/0.png", exif=exif)
    turned.convert("RGBA").save(root / "images/train/1.png")
    Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100).save(root / "images/train/2.png")
    first = read = open_dataset(root)

    for step, write in enumerate((write_coco, write_voc, yolo(TaskType.OBJECT_DETECTION), write_coco)):
        write(read, tmp_path / str(step))
        read = open_dataset(tmp_path / str(step))

        assert list(in_numbers(read)) == list(in_numbers(first))
        for one, other in zip(read[Split.TRAIN], first[Split.TRAIN], strict=True):
            assert load_image(one.image).tobytes() == load_image(other.image).tobytes()


def test_one_data_set_is_the_same_in_three_formats(tmp_path: Path) -> None:
    first = open_dataset(put_yolo(tmp_path / "yolo", [f"{BOX}\n1 0.3 0.3 0.1 0.2"], [BOX]))
    write_coco(first, tmp_path / "coco")
    second = open_dataset(tmp_path / "coco")
    write_voc(second, tmp_path / "voc")
    third = open_dataset(tmp_path / "voc")

    assert [d.format for d in (first, second, third)] == [DatasetFormat.YOLO, DatasetFormat.COCO, DatasetFormat.VOC]
    assert list(in_numbers(first)) == list(in_numbers(second)) == list(in_numbers(third))


@given(
    counts=st.dictionaries(st.sampled_from(["a", "b c", "동전", "Ä", "10", "9"]), st.integers(2, 4), min_size=2),
    seed=st.integers(0, 9),
)
@settings(max_examples=10, deadline=None)
def test_classes_survive_writing_and_reading_round_and_round(image: Path, counts: dict[str, int], seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, count in counts.items():
            for index in range(count):
                target = Path(folder, "in", name, f"{index}.png")
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(image, target)
        first = read = open_dataset(Path(folder, "in"), seed=seed)
        for step in range(3):
            read = open_dataset(write_imagefolder(read, Path(folder, str(step))))

            assert read.class_names == first.class_names
            assert {split: [s.class_id for s in samples] for split, samples in read.splits.items()} == {
                split: sorted(s.class_id or 0 for s in samples) for split, samples in first.splits.items()
            }
