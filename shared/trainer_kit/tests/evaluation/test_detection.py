"""Metrics of detection are equal to pycocotools', on random detections with crowds, all sizes, and equal scores."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as mask_tools
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from data_kit.masks import fill_polygons
from trainer_kit.evaluation import (
    DetectionEvaluator,
    box_overlaps,
    corner_overlaps,
    keypoint_overlaps,
    mask_overlaps,
)

CLASSES = ["cat", "dog", "bird", "nothing"]
Image = dict[str, np.ndarray]


def scene(chance: np.random.Generator, digits: int = 1) -> Image:
    """Random labels of all sizes, and detections most of which are near one; some are elsewhere, some duplicated."""
    count = int(chance.integers(0, 9))
    corner, side = chance.uniform(0, 150, (count, 2)), np.exp(chance.uniform(2, 5, (count, 2)))
    labelled = np.hstack([corner, corner + side])
    near = labelled[chance.integers(count, size=3 * count)] if count else np.zeros((0, 4))
    near = near + chance.normal(0, 4, near.shape)
    near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
    true_classes = chance.integers(3, size=count)
    classes = chance.integers(4, size=len(near))
    nearest = box_overlaps(near, labelled).argmax(1) if count else np.zeros(0, dtype=int)
    classes = np.where(chance.random(len(near)) < 0.8, true_classes[nearest] if count else classes, classes)
    return {
        "boxes": near,
        "scores": chance.random(len(near)).round(digits),
        "classes": classes,
        "true_boxes": labelled,
        "true_classes": true_classes,
        "crowd": chance.random(count) < 0.15,
    }


def areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def ours(scenes: list[Image]) -> DetectionEvaluator:
    evaluator = DetectionEvaluator(CLASSES)
    for one in scenes:
        evaluator.update(
            box_overlaps(one["boxes"], one["true_boxes"], one["crowd"]),
            scores=one["scores"],
            classes=one["classes"],
            areas=areas(one["boxes"]),
            true_classes=one["true_classes"],
            true_areas=areas(one["true_boxes"]),
            crowd=one["crowd"],
        )
    return evaluator


def xywh(box: np.ndarray) -> list[float]:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def theirs(scenes: list[Image], **parameters: Any) -> COCOeval:
    annotations, results = [], []
    for image, one in enumerate(scenes, start=1):
        for box, label, crowd in zip(one["true_boxes"], one["true_classes"], one["crowd"], strict=True):
            area = areas(box[None])[0]
            annotations.append({"bbox": xywh(box), "area": area, "category_id": int(label), "iscrowd": int(crowd)})
            annotations[-1] |= {"id": len(annotations), "image_id": image}
        for box, label, score in zip(one["boxes"], one["classes"], one["scores"], strict=True):
            results.append({"bbox": xywh(box), "category_id": int(label), "score": float(score), "image_id": image})
    return run_peer(annotations, results, len(scenes), "bbox")


def run_peer(annotations: list[Any], results: list[Any], images: int, kind: str) -> COCOeval:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": image} for image in range(1, images + 1)],
            "categories": [{"id": label, "name": name} for label, name in enumerate(CLASSES)],
            "annotations": annotations,
        }
        truth.createIndex()
        peer = COCOeval(truth, truth.loadRes(results), kind)
        peer.evaluate()
        peer.accumulate()
        peer.summarize()
    return peer


@pytest.mark.parametrize("seed", range(3))
def test_average_precision_and_recall_are_pycocotools(seed: int) -> None:
    chance = np.random.default_rng(seed)
    scenes = [scene(chance) for _ in range(60)]
    evaluator, peer = ours(scenes), theirs(scenes)

    found = evaluator.evaluate()
    names = ["map50_95", "map50", "map75", "map50_95_small", "map50_95_medium", "map50_95_large"]
    names += ["ar_max1", "ar_max10", "ar", "ar_small", "ar_medium", "ar_large"]
    assert [found.values[name] for name in names] == pytest.approx(list(peer.stats), abs=1e-9)
    assert evaluator.values() == {
        "val/map50_95": pytest.approx(peer.stats[0], abs=1e-9),
        "val/map50": pytest.approx(peer.stats[1], abs=1e-9),
    }
    for label in range(3):
        precision = peer.eval["precision"][:, :, label, 0, 2]
        assert found.classes[label].values["map50_95"] == pytest.approx(precision.mean(), abs=1e-9)
    assert found.classes[3].values["map50_95"] is None, "nothing of that class is labelled"


def test_the_best_hundred_detections_of_each_class_count() -> None:
    chance = np.random.default_rng(7)
    one = scene(chance)
    while len(one["true_boxes"]) < 3:
        one = scene(chance)
    many = {**one, **{name: np.tile(one[name].T, 40).T for name in ("boxes", "classes")}}
    many["scores"] = chance.random(len(many["boxes"]))

    assert ours([many]).evaluate().values["map50_95"] == pytest.approx(theirs([many]).stats[0], abs=1e-9)


def test_overlaps_of_boxes_and_masks_are_pycocotools() -> None:
    chance = np.random.default_rng(3)
    one = scene(chance, digits=3)
    crowd = one["crowd"].astype(np.uint8).tolist()
    boxes = [np.array([xywh(box) for box in one[name]]) for name in ("boxes", "true_boxes")]
    expected = mask_tools.iou(*boxes, crowd)
    assert box_overlaps(one["boxes"], one["true_boxes"], one["crowd"]) == pytest.approx(expected, abs=1e-9)

    found, labelled = chance.random((4, 9, 11)) < 0.5, chance.random((3, 9, 11)) < 0.4
    crowds = np.array([False, True, False])
    encoded = [
        mask_tools.encode(np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8))) for masks in (found, labelled)
    ]
    expected = mask_tools.iou(*encoded, crowds.astype(np.uint8).tolist())
    assert mask_overlaps(found, labelled, crowds) == pytest.approx(expected, abs=1e-9)


def test_precision_of_keypoints_is_pycocotools() -> None:
    chance = np.random.default_rng(5)
    evaluator = DetectionEvaluator(CLASSES, max_detections=20)
    annotations: list[Any] = []
    results: list[Any] = []
    sigmas = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
    for image in range(1, 41):
        count = int(chance.integers(1, 5))
        corner, side = chance.uniform(0, 200, (count, 2)), chance.uniform(40, 150, (count, 2))
        boxes = np.hstack([corner, corner + side])
        labelled = np.dstack([chance.uniform(corner[:, None], (corner + side)[:, None], (count, 17, 2)),
                              chance.integers(0, 3, (count, 17))])  # fmt: skip
        labelled[:, :, 2] *= (np.arange(count) > 0)[:, None]  # the first has no visible point
        found = labelled[chance.integers(count, size=2 * count)]
        found[:, :, :2] += chance.normal(0, 6, found[:, :, :2].shape)
        found[:, :, 2] = 2
        scores, areas_ = chance.random(2 * count), side.prod(1) * 0.6
        spans = np.ptp(found[:, :, :2], axis=1)
        evaluator.update(
            keypoint_overlaps(found, labelled, boxes, areas_, sigmas),
            scores=scores,
            classes=np.zeros(2 * count, dtype=int),
            areas=spans.prod(1),
            true_classes=np.zeros(count, dtype=int),
            true_areas=areas_,
            ignored=(labelled[:, :, 2] > 0).sum(1) == 0,
        )
        for points, box, area in zip(labelled, boxes, areas_, strict=True):
            annotations.append({
                "id": len(annotations) + 1, "image_id": image, "category_id": 0, "iscrowd": 0, "bbox": xywh(box),
                "area": area, "keypoints": points.ravel().tolist(), "num_keypoints": int((points[:, 2] > 0).sum()),
            })  # fmt: skip
        for points, score in zip(found, scores, strict=True):
            results.append({
                "image_id": image, "category_id": 0, "keypoints": points.ravel().tolist(), "score": float(score),
            })  # fmt: skip
    peer = run_peer(annotations, results, 40, "keypoints")

    values = evaluator.evaluate().values
    names = ["map50_95", "map50", "map75", "map50_95_medium", "map50_95_large", "ar"]
    assert [values[name] for name in names] == pytest.approx(list(peer.stats[:6]), abs=1e-9)


def evaluate_one(found: list[list[float]], scores: list[float], classes: list[int], true: list[int]) -> Any:
    places = np.array([[0.0, 0, 10, 10], [50, 50, 60, 60]])[: len(true)]
    boxes = np.array(found).reshape(-1, 4)
    evaluator = DetectionEvaluator(CLASSES)
    evaluator.update(
        box_overlaps(boxes, places), scores=np.array(scores), classes=np.array(classes, dtype=int),
        areas=areas(boxes), true_classes=np.array(true, dtype=int), true_areas=areas(places),
    )  # fmt: skip
    return evaluator


def test_the_confusion_matrix_counts_missed_labels_and_false_detections_as_background() -> None:
    wrong, invented, unsure = [0.0, 0, 10, 9], [90.0, 90, 99, 99], [50.0, 50, 60, 60]
    evaluator = evaluate_one([wrong, invented, unsure], [0.9, 0.8, 0.1], [1, 2, 1], [0, 1])

    counts = np.array(evaluator.evaluate().confusion.counts)
    cells = zip(*(index.tolist() for index in np.nonzero(counts)), strict=True)
    assert {cell: counts[cell] for cell in cells} == {
        (0, 1): 1,  # a cat taken for a dog
        (4, 2): 1,  # a bird where nothing is
        (1, 4): 1,  # a dog that was found with too low a score
    }


def test_the_curves_give_the_score_threshold_with_the_best_f1() -> None:
    values = evaluate_one([[0, 0, 10, 10], [90, 90, 99, 99]], [0.9, 0.5], [0, 0], [0]).evaluate().values

    assert values["best_score"] == pytest.approx(0.51)
    assert (values["precision"], values["recall"], values["f1"]) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("true", [[], [0]], ids=["nothing-labelled", "nothing-found"])
def test_nothing_is_zero(true: list[int]) -> None:
    evaluator = evaluate_one([], [], [], true)

    assert evaluator.values() == {"val/map50_95": 0.0, "val/map50": 0.0}
    assert evaluator.evaluate().values["map50_95"] == (0.0 if true else None)


def rectangle(x: float, y: float, width: float, height: float, degrees: float) -> np.ndarray:
    turn = np.deg2rad(degrees)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    return corners @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]] + [x, y]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        pytest.param(rectangle(50, 50, 20, 20, 0), 1.0, id="itself"),
        pytest.param(rectangle(50, 50, 20, 20, 90), 1.0, id="itself-turned"),
        pytest.param(rectangle(50, 50, 20, 20, 0)[::-1], 1.0, id="itself-the-other-way-round"),
        pytest.param(rectangle(50, 50, 20, 20, 45), 0.5**0.5, id="an-eight-cornered-star"),
        pytest.param(rectangle(60, 50, 20, 20, 0), 1 / 3, id="half"),
        pytest.param(rectangle(50, 50, 10, 10, 30), 1 / 4, id="inside"),
        pytest.param(rectangle(70, 50, 20, 20, 0), 0.0, id="touching"),
        pytest.param(rectangle(90, 90, 20, 20, 10), 0.0, id="elsewhere"),
    ],
)
def test_overlaps_of_oriented_boxes_are_exact(other: np.ndarray, expected: float) -> None:
    overlaps = corner_overlaps(rectangle(50, 50, 20, 20, 0)[None], other[None])
    assert overlaps == pytest.approx(np.array([[expected]]), abs=1e-6)


def test_overlaps_of_oriented_boxes_are_those_of_their_pixels() -> None:
    chance = np.random.default_rng(5)
    boxes = np.array([rectangle(*chance.uniform(35, 65, 2), *chance.uniform(10, 50, 2), a) for a in range(0, 180, 9)])
    masks = np.array([fill_polygons([tuple((corners * 8).ravel())], 800, 800) for corners in boxes])
    assert corner_overlaps(boxes[:10], boxes[10:]) == pytest.approx(mask_overlaps(masks[:10], masks[10:]), abs=4e-3)
