"""A data set that is written and read again is the same one."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from building import BOX, put_classes, put_image, put_yolo
from hypothesis import given, settings
from hypothesis import strategies as st

from data_kit import (
    Dataset,
    Instance,
    Polygon,
    Sample,
    Split,
    open_dataset,
    write_coco,
    write_imagefolder,
    write_voc,
    write_yolo,
)
from data_kit.geometry import polygon_instance
from vision_contracts import DatasetFormat, TaskType

WIDTH, HEIGHT = 64, 48
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
    return polygon_instance(box.class_id, [polygon])


@st.composite
def posed(draw: st.DrawFn) -> Instance:
    box = draw(boxes())
    point = st.tuples(coordinates(WIDTH), coordinates(HEIGHT), st.sampled_from([1, 2])) | st.just((0.0, 0.0, 0))
    return Instance(box.class_id, box.box, keypoints=tuple(draw(st.lists(point, min_size=3, max_size=3))))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return put_image(tmp_path_factory.mktemp("image") / "a.png", (WIDTH, HEIGHT))


def dataset_of(image: Path, task: TaskType, samples: list[list[Instance]]) -> Dataset:
    first, *rest = [Sample(image, WIDTH, HEIGHT, instances=tuple(instances)) for instances in samples]
    keypoints = ("nose", "left_eye", "right_eye") if task is TaskType.POSE_ESTIMATION else ()
    return Dataset(
        image.parent, DatasetFormat.YOLO, frozenset({task}), CLASSES, {Split.TRAIN: [first], Split.VAL: rest},
        keypoints, (0, 2, 1) if keypoints else (),
    )  # fmt: skip


def in_numbers(dataset: Dataset) -> Iterator[tuple[object, ...]]:
    """Everything about objects, to a thousandth of a pixel."""
    for split, samples in sorted(dataset.splits.items()):
        for sample in samples:
            yield split, sample.width, sample.height, len(sample.instances)
            for instance in sample.instances:
                yield dataset.class_names[instance.class_id], instance.is_crowd
                for values in (instance.box, *instance.polygons, *instance.keypoints, instance.corners or ()):
                    yield tuple(pytest.approx(value, abs=1e-3) for value in values)


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
    assert read.keypoint_flip == dataset.keypoint_flip


def test_one_data_set_is_the_same_in_three_formats(tmp_path: Path) -> None:
    first = open_dataset(put_yolo(tmp_path / "yolo", [f"{BOX}\n1 0.3 0.3 0.1 0.2"], [BOX]))
    write_coco(first, tmp_path / "coco")
    second = open_dataset(tmp_path / "coco")
    write_voc(second, tmp_path / "voc")
    third = open_dataset(tmp_path / "voc")

    assert [d.format for d in (first, second, third)] == [DatasetFormat.YOLO, DatasetFormat.COCO, DatasetFormat.VOC]
    assert list(in_numbers(first)) == list(in_numbers(second)) == list(in_numbers(third))


def test_classes_survive_writing_and_reading(tmp_path: Path) -> None:
    dataset = open_dataset(put_classes(tmp_path / "in", {"train/b": 2, "train/a": 3, "val/a": 1}))

    read = open_dataset(write_imagefolder(dataset, tmp_path / "out"))

    assert read.class_names == dataset.class_names
    for split in ("train", "val"):
        assert [s.class_id for s in read[split]] == [s.class_id for s in dataset[split]]
