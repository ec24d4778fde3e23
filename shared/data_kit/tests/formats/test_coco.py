from pathlib import Path
from typing import Any

import pytest
from building import only_finding, put_coco, put_image, put_text

from data_kit import Instance, open_dataset
from vision_contracts import DatasetFormat, TaskType

BOX = {"category_id": 7, "bbox": [10, 5, 20, 10]}
MASK = {"size": [20, 40], "counts": [0, 20 * 40]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two images; `val.json` has one good box."""
    put_image(tmp_path / "images" / "a.png")
    put_coco(tmp_path / "annotations" / "instances_val.json", [BOX])
    return tmp_path


def put_train(root: Path, annotations: list[dict[str, Any]], **changes: Any) -> None:
    put_coco(root / "annotations" / "instances_train.json", annotations, **changes)


def test_a_box_is_in_pixels_and_classes_are_categories_by_id(root: Path) -> None:
    put_train(root, [BOX])

    dataset = open_dataset(root)

    assert (dataset.format, dataset.class_names) == (DatasetFormat.COCO, ("cat", "dog"))
    assert dataset["train"][0].instances == (Instance(1, (10, 5, 30, 15)),)


def test_polygons_of_every_object_train_segmentation(root: Path) -> None:
    outlined = BOX | {"segmentation": [[10, 5, 30, 5, 20, 15], [0, 0, 1, 0, 1, 1]]}
    put_train(root, [outlined])
    put_coco(root / "annotations" / "instances_val.json", [outlined])

    dataset = open_dataset(root)

    assert TaskType.INSTANCE_SEGMENTATION in dataset.task_types
    assert len(dataset["train"][0].instances[0].polygons) == 2


@pytest.mark.parametrize("counts", [[10 * 20 + 5, 10, 10, 10, 20 * 40 - 235], "]6::0[a0"])
def test_a_run_length_mask_becomes_its_outline(root: Path, counts: object) -> None:
    mask = {"category_id": 3, "bbox": [10, 5, 2, 10], "segmentation": {"size": [20, 40], "counts": counts}}
    put_train(root, [mask])

    assert open_dataset(root)["train"][0].instances[0].polygons == ((10, 5, 12, 5, 12, 15, 10, 15),)


def test_crowds_are_marked_and_do_not_decide_the_task(root: Path) -> None:
    crowd = {"category_id": 3, "bbox": [0, 0, 40, 20], "segmentation": MASK, "iscrowd": 1}
    put_train(root, [BOX, crowd])

    dataset = open_dataset(root)

    assert [instance.is_crowd for instance in dataset["train"][0].instances] == [False, True]
    assert dataset.task_types == {TaskType.OBJECT_DETECTION}


def test_keypoints_train_pose(root: Path) -> None:
    categories = [
        {"id": 3, "name": "cat", "keypoints": ["nose", "left_ear", "right_ear"], "skeleton": [[1, 2], [1, 3]]}
    ]
    posed = {"category_id": 3, "bbox": [0, 0, 40, 20], "keypoints": [1, 2, 2, 5, 6, 1, 9, 9, 0]}
    for split in ("train", "val"):
        put_coco(root / "annotations" / f"person_keypoints_{split}.json", [posed], categories=categories)
    (root / "annotations" / "instances_val.json").unlink()

    dataset = open_dataset(root)

    assert TaskType.POSE_ESTIMATION in dataset.task_types
    assert dataset["train"][0].instances[0].keypoints == ((1, 2, 2), (5, 6, 1), (0, 0, 0))
    assert dataset.keypoint_names == ("nose", "left_ear", "right_ear")
    assert dataset.keypoint_flip == (0, 2, 1)
    assert dataset.skeleton == ((0, 1), (0, 2))


@pytest.mark.parametrize("name", ["no\ud800", "no\0se", "", "n" * 201])
def test_a_keypoint_whose_name_nobody_can_write_is_refused(root: Path, name: str) -> None:
    categories = [{"id": 7, "name": "dog", "keypoints": [name]}]
    put_train(root, [BOX | {"keypoints": [1, 1, 2]}], categories=categories)

    assert only_finding(root).code == "keypoint_name_malformed"


def test_files_of_keypoints_are_read_for_pose_and_of_instances_otherwise(root: Path) -> None:
    put_train(root, [BOX])
    keypoints = BOX | {"keypoints": [1, 1, 2]}
    for split in ("train", "val"):
        put_coco(root / "annotations" / f"person_keypoints_{split}.json", [keypoints])

    assert open_dataset(root).task_types == {TaskType.OBJECT_DETECTION}
    assert [finding.code for finding in open_dataset(root).findings] == ["annotations_ignored"] * 2
    assert TaskType.POSE_ESTIMATION in open_dataset(root, task_type=TaskType.POSE_ESTIMATION).task_types


@pytest.mark.parametrize(
    ("labels", "image"),
    [
        ("annotations/instances_train2017.json", "train2017/a.png"),
        ("annotations/instances_train2017.json", "images/train/a.png"),
        ("train/_annotations.coco.json", "train/a.png"),
        ("train.json", "a.png"),
        ("annotations.json", "images/a.png"),
        ("annotations/train.json", "data/a.png"),
    ],
)
def test_images_are_found_in_every_usual_layout(tmp_path: Path, labels: str, image: str) -> None:
    put_coco(tmp_path / labels, [BOX])
    put_image(tmp_path / image)
    val = labels.replace("train", "val").replace("annotations.json", "val.json")
    put_coco(tmp_path / val, [BOX])
    put_image(tmp_path / image.replace("train", "val"))

    assert open_dataset(tmp_path)["train"][0].image == tmp_path / image


def test_one_file_is_split(tmp_path: Path) -> None:
    images = [{"id": i, "file_name": f"{i}.png"} for i in range(10)]
    annotations = [BOX | {"image_id": i} for i in range(10)]
    for i in range(10):
        put_image(tmp_path / "images" / f"{i}.png")
    put_coco(tmp_path / "labels.json", annotations, images=images)

    dataset = open_dataset(tmp_path)

    assert (len(dataset["train"]), len(dataset["val"])) == (8, 2)


def test_files_agree_on_classes_by_name(root: Path) -> None:
    put_train(root, [BOX])
    categories = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    put_coco(root / "annotations" / "instances_val.json", [BOX | {"category_id": 2}], categories=categories)

    assert open_dataset(root)["val"][0].instances[0].class_id == 0


@pytest.mark.parametrize("file_name", ["../../secret.png", "/etc/secret.png", "..\\..\\..\\secret.png"])
def test_a_file_name_that_leaves_the_root_reads_nothing(tmp_path: Path, file_name: str) -> None:
    put_image(tmp_path / "secret.png")
    root = tmp_path / "deep" / "set"
    put_coco(root / "annotations" / "train.json", [BOX], images=[{"id": 1, "file_name": file_name}])

    assert only_finding(root).code in {"path_leaves_root", "image_missing"}


def test_a_missing_image_is_named(root: Path) -> None:
    put_train(root, [BOX], images=[{"id": 1, "file_name": "none.png"}])

    finding = only_finding(root)

    assert (finding.code, finding.file) == ("image_missing", "annotations/instances_train.json")
    assert "none.png" in finding.message


def test_an_image_of_another_size_than_was_labelled_is_refused(root: Path) -> None:
    put_train(root, [BOX], images=[{"id": 1, "file_name": "a.png", "width": 20, "height": 40}])

    assert only_finding(root).code == "image_size_differs"


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ('{"images": [],\n "annotations": [}', "json_malformed", 2),
        ('{"images": [], "annotations": []}', "annotations_malformed", None),
        ('{"images": [{"id": 1}], "annotations": [], "categories": []}', "annotations_malformed", None),
        ('{"images": [7], "annotations": [], "categories": []}', "annotations_malformed", None),
        ('{"images": [], "annotations": [{"image_id": 5}], "categories": []}', "annotations_malformed", None),
        ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}',
         "annotations_malformed", None),
        ('{"images": [{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}], "annotations": [], '
         '"categories": []}', "annotations_malformed", None),
        ('{"images": [' + "[" * 100_000, "annotations_malformed", None),
    ],
)  # fmt: skip
def test_a_malformed_file_is_named(root: Path, text: str, code: str, line: int | None) -> None:
    put_text(root / "annotations" / "instances_train.json", text)

    finding = only_finding(root)

    assert (finding.code, finding.file, finding.line) == (code, "annotations/instances_train.json", line)


@pytest.mark.parametrize(
    ("annotation", "code"),
    [
        ({"category_id": 99}, "class_unknown"),
        ({"bbox": [100, 100, 5, 5]}, "label_outside_image"),
        ({"bbox": [1, 1, -5, 5]}, "label_malformed"),
        ({"bbox": [1, 1, 5]}, "label_malformed"),
        ({"bbox": "text"}, "label_malformed"),
        ({"bbox": [float("nan"), 1, 5, 5]}, "label_malformed"),
        ({"bbox": None}, "label_malformed"),
        ({"category_id": None}, "class_unknown"),
        ({"category_id": [1]}, "label_malformed"),
        ({"segmentation": [[1, 2, 3, 4]]}, "label_malformed"),
        ({"segmentation": {"size": [1, 1], "counts": [1]}}, "label_malformed"),
        ({"segmentation": {"size": [20, 40], "counts": [5]}}, "label_malformed"),
        ({"segmentation": {"size": [20, 40], "counts": "\u00ff"}}, "label_malformed"),
        ({"segmentation": {"size": [20, 40]}}, "label_malformed"),
        ({"keypoints": [1, 1]}, "label_malformed"),
        ({"keypoints": [1, 1, 7]}, "label_malformed"),
        ({"keypoints": [500, 1, 2]}, "label_outside_image"),
    ],
)
def test_a_wrong_annotation_is_named(root: Path, annotation: dict[str, Any], code: str) -> None:
    put_train(root, [BOX, BOX | annotation])

    finding = only_finding(root)

    assert (finding.code, finding.file) == (code, "annotations/instances_train.json")
    assert "Annotation 2 of image 1" in finding.message


@pytest.mark.parametrize(("train", "val", "malformed"), [([1, 2], [1], "train"), ([0, 2], [1], "val")])
def test_another_number_of_keypoints_than_the_first_is_named(
    root: Path, train: list[int], val: list[int], malformed: str
) -> None:
    for split, counts in (("train", train), ("val", val)):
        posed = [BOX | {"keypoints": [1, 1, 2] * count} for count in counts]
        put_coco(root / "annotations" / f"instances_{split}.json", posed)

    finding = only_finding(root)

    assert (finding.code, finding.file) == ("label_malformed", f"annotations/instances_{malformed}.json")
    assert "keypoints" in finding.message


def test_a_box_over_the_edge_is_cut_and_an_empty_one_left_out(root: Path) -> None:
    put_train(root, [BOX | {"bbox": [30, 5, 20, 10]}, BOX | {"bbox": [3, 3, 0, 5]}])

    dataset = open_dataset(root)

    assert [instance.box for instance in dataset["train"][0].instances] == [(30, 5, 40, 15)]
    assert [finding.code for finding in dataset.findings] == ["box_clipped", "box_empty"]


INSIDE, FLAT, OVER, FAR = [10, 5, 30, 5, 20, 15], [1, 1, 6, 1, 1, 1], [30, 5, 60, 5, 30, 15], [50, 30, 60, 30, 60, 40]


@pytest.mark.parametrize(
    ("parts", "codes"),
    [
        ([INSIDE], []),
        ([INSIDE, FLAT], ["outline_empty"]),
        ([INSIDE, FAR], ["outline_empty"]),
        ([INSIDE, OVER], ["outline_clipped"]),
        ([OVER, FAR, FLAT], ["outline_empty", "outline_clipped"]),
        ([[0, 0, 41, 0, 41, 21]], []),
    ],
)
def test_parts_that_an_outline_loses_are_warned_of(root: Path, parts: list[list[int]], codes: list[str]) -> None:
    put_train(root, [BOX | {"segmentation": parts}])
    put_coco(root / "annotations" / "instances_val.json", [BOX | {"segmentation": [INSIDE]}])

    findings = open_dataset(root).findings

    assert [finding.code for finding in findings] == codes
    assert all("Annotation 1 of image 1" in finding.message for finding in findings)
    assert all(finding.file == "annotations/instances_train.json" for finding in findings)
