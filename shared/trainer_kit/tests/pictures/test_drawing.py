"""Plots of every task are drawn, also from reports with unusual values. Their looks are for people to judge."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_kit import Dataset, Instance, Sample, Split
from trainer_kit.evaluation import (
    ClassificationEvaluator,
    Detections,
    Evaluator,
    Gallery,
    History,
    MaskGrid,
    ObjectEvaluator,
    SegmentationEvaluator,
    label_map,
)
from trainer_kit.pictures import draw_all
from vision_contracts import DatasetFormat, TaskType, metric_names

SQUARE = (4.0, 4.0, 20.0, 4.0, 20.0, 20.0, 4.0, 20.0)
OBJECT = Instance(1, (4, 4, 20, 20), polygons=(SQUARE,), keypoints=((5, 5, 2), (9, 9, 0)), corners=SQUARE)
NAMES = ("$x_", "고양이", *("a very long name of a class that nobody can print " + str(number) for number in range(40)))
ALWAYS = ["learning_curves", "confusion_matrix", "classes"]
SAMPLES = ["sample_predictions", "mistakes"]


def image(folder: Path, instances: tuple[Instance, ...] = (OBJECT,)) -> Sample:
    path = folder / "image.png"
    Image.new("RGB", (64, 32), "gray").save(path)
    return Sample(path, 64, 32, class_id=1, instances=instances)


def classified(sample: Sample, names: tuple[str, ...]) -> Evaluator:
    evaluator = ClassificationEvaluator(names)
    evaluator.add([sample, sample], np.eye(len(names))[[0, 1]])
    return evaluator


def found(sample: Sample, names: tuple[str, ...], task_type: TaskType) -> Evaluator:
    evaluator = ObjectEvaluator(names, task_type)
    grid = MaskGrid(16, 8, scale=(0.25, 0.25))
    one = Detections(
        scores=np.array([0.9, 0.8]),
        classes=np.array([0, 1]),
        boxes=np.array([[4, 4, 20, 20], [30, 4, 50, 20]], dtype=float),
        masks=np.array([grid.fill(OBJECT)] * 2),
        grid=grid,
        keypoints=np.zeros((2, 2, 2)),
        corners=np.array([SQUARE, SQUARE]).reshape(2, 4, 2),
    )
    evaluator.add(sample, one)
    evaluator.add(Sample(sample.image, 64, 32), one)
    return evaluator


def labelled(sample: Sample, names: tuple[str, ...]) -> Evaluator:
    evaluator = SegmentationEvaluator(("background", *names))
    evaluator.add(sample, np.roll(label_map(sample), 3, axis=1))
    return evaluator


def draw(folder: Path, names: tuple[str, ...], task_type: TaskType, evaluator: Evaluator) -> list[str]:
    history = History(metric_names.PRIMARY[task_type])
    history.add(1, {history.primary_metric: 0.5, "val/loss": float("nan")})
    splits = {Split.TRAIN: (), Split.VAL: ()}
    dataset = Dataset(folder, DatasetFormat.COCO, frozenset({task_type}), names, splits)
    pictures = list(
        draw_all(
            folder / "pictures",
            task_type=task_type,
            dataset=dataset,
            history=history,
            evaluation=evaluator.evaluate(),
            gallery=evaluator.gallery,
        )
    )
    for picture in pictures:
        with Image.open(picture.path) as opened:
            assert min(opened.size) > 200
            assert len(opened.convert("L").getcolors(256) or []) > 2, f"{picture.name} is blank"
    return [picture.name.removeprefix("plots/").removesuffix(".png") for picture in pictures]


@pytest.mark.parametrize("names", [NAMES[:2], NAMES], ids=["two-classes", "many-classes"])
def test_plots_of_a_classification_include_its_mistakes(tmp_path: Path, names: tuple[str, ...]) -> None:
    drawn = draw(tmp_path, names, TaskType.IMAGE_CLASSIFICATION, classified(image(tmp_path), names))
    assert drawn == [*ALWAYS, "calibration", *SAMPLES]


@pytest.mark.parametrize(
    "task_type",
    [
        TaskType.OBJECT_DETECTION,
        TaskType.INSTANCE_SEGMENTATION,
        TaskType.POSE_ESTIMATION,
        TaskType.ORIENTED_OBJECT_DETECTION,
    ],
)
def test_objects_are_drawn_over_their_labels(tmp_path: Path, task_type: TaskType) -> None:
    drawn = draw(tmp_path, NAMES[:2], task_type, found(image(tmp_path), NAMES[:2], task_type))
    assert drawn == [*ALWAYS, "precision_recall", "f1_confidence", *SAMPLES]


def test_label_maps_are_drawn_over_the_image(tmp_path: Path) -> None:
    drawn = draw(tmp_path, NAMES[:2], TaskType.SEMANTIC_SEGMENTATION, labelled(image(tmp_path), NAMES[:2]))
    assert drawn == [*ALWAYS, *SAMPLES]


def test_plots_of_a_split_without_labels_are_drawn(tmp_path: Path) -> None:
    nothing = image(tmp_path, instances=())
    drawn = draw(tmp_path, NAMES[:2], TaskType.OBJECT_DETECTION, found(nothing, NAMES[:2], TaskType.OBJECT_DETECTION))
    assert drawn[:3] == ALWAYS


def test_the_gallery_has_the_same_images_in_any_order_of_the_samples(tmp_path: Path) -> None:
    samples = [Sample(tmp_path / f"{number}.png", 1, 1) for number in range(100)]
    galleries = []
    for order in (samples, samples[::-1]):
        gallery = Gallery()
        for sample in order:
            gallery.offer(sample, None, mistake=float(len(sample.image.stem) == 1))
        galleries.append(([one.name for one in gallery.samples], {one.name for one in gallery.mistakes}))
    assert galleries[0] == galleries[1]
    assert (len(galleries[0][0]), len(galleries[0][1])) == (12, 10)
