from pathlib import Path

import pytest
from building import BOX, OUTLINE, findings_of, only_finding, put_image, put_text, put_yolo

from data_kit import Dataset, Instance, open_dataset
from vision_contracts import TaskType

DETECTION = TaskType.OBJECT_DETECTION
SEGMENTATION = {TaskType.INSTANCE_SEGMENTATION, TaskType.SEMANTIC_SEGMENTATION}
CORNERS = "1 0.1 0.2 0.5 0.2 0.5 0.6 0.1 0.6"
POSE = "names: [cat]\nkpt_shape: [2, 3]\nflip_idx: [1, 0]\n"


def instances(dataset: Dataset) -> list[Instance]:
    return [i for split in ("train", "val") for s in dataset[split] for i in s.instances]


def test_a_box_is_in_pixels(tmp_path: Path) -> None:
    dataset = open_dataset(put_yolo(tmp_path, ["1 0.5 0.5 0.5 0.5"], [BOX]))

    assert dataset.class_names == ("cat", "dog")
    assert dataset.task_types == {DETECTION}
    assert dataset["train"][0].instances == (Instance(1, (10, 5, 30, 15)),)


def test_a_box_of_a_turned_photograph_is_in_pixels_of_the_upright_one(tmp_path: Path) -> None:
    put_yolo(tmp_path, [BOX], [BOX])
    put_image(
        tmp_path / "images/train/0.png", (40, 20), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    )

    sample = open_dataset(tmp_path)["train"][0]

    assert (sample.width, sample.height) == (20, 40)
    assert sample.instances[0].box == (5, 10, 15, 30)


def test_outlines_train_segmentation_and_detection(tmp_path: Path) -> None:
    dataset = open_dataset(put_yolo(tmp_path, [OUTLINE], [OUTLINE]))

    assert dataset.task_types == {DETECTION, *SEGMENTATION}
    assert dataset["train"][0].instances[0].polygons == ((4, 2, 36, 2, 20, 18),)
    assert dataset["train"][0].instances[0].box == (4, 2, 36, 18)


def test_four_corners_everywhere_are_outlines_and_turned_boxes(tmp_path: Path) -> None:
    dataset = open_dataset(put_yolo(tmp_path, [CORNERS], [CORNERS]))

    assert dataset.task_types == {DETECTION, *SEGMENTATION, TaskType.ORIENTED_OBJECT_DETECTION}
    assert dataset["train"][0].instances[0].corners == (4, 4, 20, 4, 20, 12, 4, 12)


def test_one_outline_of_three_corners_means_that_none_is_a_turned_box(tmp_path: Path) -> None:
    assert open_dataset(put_yolo(tmp_path, [CORNERS], [OUTLINE])).task_types == {DETECTION, *SEGMENTATION}


def test_keypoints_train_pose_and_detection(tmp_path: Path) -> None:
    line = "0 0.5 0.5 0.5 0.5 0.25 0.5 2 0.9 0.9 0"
    dataset = open_dataset(put_yolo(tmp_path, [line], [line], config=POSE))

    assert dataset.task_types == {DETECTION, TaskType.POSE_ESTIMATION}
    assert dataset.keypoint_flip == (1, 0)
    assert dataset["train"][0].instances[0].keypoints == ((10, 10, 2), (0, 0, 0))


def test_keypoints_without_visibility_are_visible_unless_at_the_origin(tmp_path: Path) -> None:
    config = "names: [cat]\nkpt_shape: [2, 2]\n"
    dataset = open_dataset(put_yolo(tmp_path, ["0 0.5 0.5 0.5 0.5 0.25 0.5 0 0"] * 2, config=config))

    assert instances(dataset)[0].keypoints == ((10, 10, 2), (0, 0, 0))


def test_an_image_without_labels_is_background(tmp_path: Path) -> None:
    put_yolo(tmp_path, [BOX, ""], [BOX])
    put_image(tmp_path / "images" / "train" / "9.png")

    assert [len(sample.instances) for sample in open_dataset(tmp_path)["train"]] == [1, 0, 0]


@pytest.mark.parametrize(
    "config",
    [
        "train: images/train\nval: images/val",
        "path: /somewhere/else\ntrain: ./images/train/\nvalid: images/val",
        "path: ../../up\ntrain: ../images/train\nvalidation: ../images/val",
        "train: [images/train/0.png, images/train/1.png]\nval: images/val/0.png",
        "train: train.txt\nval: lists/val.txt",
    ],
)
def test_every_way_to_name_images_finds_them(tmp_path: Path, config: str) -> None:
    put_yolo(tmp_path, [BOX, BOX], [BOX])
    put_text(tmp_path / "train.txt", "images/train/0.png\n\n./images/train/1.png\n")
    put_text(tmp_path / "lists" / "val.txt", "../images/val/0.png\n")
    put_text(tmp_path / "data.yaml", f"{config}\nnames: {{0: cat, 1: dog}}\nnc: 2\n")

    dataset = open_dataset(tmp_path)

    assert [len(dataset[split]) for split in ("train", "val")] == [2, 1]
    assert all(sample.instances for split in ("train", "val") for sample in dataset[split])


@pytest.mark.parametrize(
    ("names", "read"),
    [
        ("[no, yes, 007]", ("no", "yes", "007")),
        ("{0: off, 1: 1.50, 2: 2024-99-99}", ("off", "1.50", "2024-99-99")),
        ("\n- null\n- ~\n- 'on'", ("null", "~", "on")),
    ],
)
def test_names_are_read_as_they_are_written(tmp_path: Path, names: str, read: tuple[str, ...]) -> None:
    config = f"names: {names}\nkpt_shape: [1, 3]\nkpt_names: {{0: [yes]}}"

    dataset = open_dataset(put_yolo(tmp_path, [f"{BOX} .5 .5 2"] * 2, config=config))

    assert dataset.class_names == read
    assert dataset.keypoint_names == ("yes",)


def test_labels_beside_images_are_found(tmp_path: Path) -> None:
    put_text(tmp_path / "data.yaml", "train: all\nnames: [cat]\n")
    for name in "ab":
        put_text(put_image(tmp_path / "all" / f"{name}.png").with_suffix(".txt"), BOX)

    assert len(instances(open_dataset(tmp_path))) == 2


def test_of_a_path_the_last_images_folder_becomes_labels(tmp_path: Path) -> None:
    put_text(tmp_path / "data.yaml", "train: images/train/images\nnames: [cat]\n")
    for name in "ab":
        put_image(tmp_path / "images/train/images" / f"{name}.png")
        put_text(tmp_path / "images/train/labels" / f"{name}.txt", BOX)

    assert len(instances(open_dataset(tmp_path))) == 2


@pytest.mark.parametrize(
    "entry", ["/etc", "../..", "../../secret", "images/../../secret", "C:/images", "..\\..\\secret"]
)
def test_a_path_that_leaves_the_root_is_refused(tmp_path: Path, entry: str) -> None:
    put_image(tmp_path / "secret" / "a.png")
    root = put_yolo(tmp_path / "deep" / "set", [BOX, BOX])
    put_text(root / "data.yaml", f"train: '{entry}'\nnames: [cat]\n")

    finding = only_finding(root)

    assert finding.code == "path_leaves_root"
    assert finding.file == "data.yaml"


def test_a_listed_path_that_leaves_the_root_is_refused_with_its_line(tmp_path: Path) -> None:
    put_yolo(tmp_path, [BOX, BOX])
    put_text(tmp_path / "data.yaml", "train: train.txt\nnames: [cat]\n")
    put_text(tmp_path / "train.txt", "images/train/0.png\n/etc/passwd\nimages/train/none.png\n")

    assert [(f.code, f.file, f.line) for f in findings_of(tmp_path)] == [
        ("path_leaves_root", "train.txt", 2),
        ("image_missing", "train.txt", 3),
    ]


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ("names: [cat", "YAML"),
        ("just text", "key: value"),
        ("", "key: value"),
        ("train: images/train", "names"),
        ("names: [cat]", "train"),
        ("names: [cat]\ntrain: 7", "train"),
        ("names: [cat]\ntrain: images/train\nnc: 2", "nc"),
        ("names: [cat, cat]\ntrain: images/train", "twice"),
        ("names: {1: cat}\ntrain: images/train", "names"),
        ("names: []\ntrain: images/train", "names"),
        ("names: [cat]\ntrain: images/train\nkpt_shape: [2]", "kpt_shape"),
        ("names: [cat]\ntrain: images/train\nkpt_shape: [2, 3]\nflip_idx: [0, 0]", "flip_idx"),
        ("names: [cat]\ntrain: images/train\nkpt_shape: [2, 3]\nskeleton: [[0, 2]]", "skeleton"),
        ("a: &a [x]\nb: *a\nnames: [cat]\ntrain: images/train", "alias"),
        ("names: 2024-13-45\ntrain: images/train", "read"),
        ("names: !!python/object/apply:os.system [ls]", "YAML"),
    ],
)
def test_a_malformed_data_yaml_says_what_is_wrong(tmp_path: Path, config: str, word: str) -> None:
    put_yolo(tmp_path, [BOX, BOX])
    put_text(tmp_path / "data.yaml", config)

    finding = only_finding(tmp_path)

    assert (finding.code, finding.file) == ("config_malformed", "data.yaml")
    assert word in finding.message


def test_yaml_that_is_no_text_is_refused(tmp_path: Path) -> None:
    put_yolo(tmp_path, [BOX, BOX])
    (tmp_path / "data.yaml").write_bytes(b"\xff\xfe\x00names")

    assert only_finding(tmp_path).code == "file_unreadable"


def test_labels_without_a_data_yaml_ask_for_one(tmp_path: Path) -> None:
    put_yolo(tmp_path, [BOX, BOX])
    (tmp_path / "data.yaml").unlink()

    assert only_finding(tmp_path).code == "config_missing"


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    put_yolo(tmp_path, [BOX, BOX], config="names: [cat]\nval: images/val")

    finding = only_finding(tmp_path)

    assert finding.code == "images_missing"
    assert "images/val" in finding.message


def test_a_split_without_any_label_file_is_refused(tmp_path: Path) -> None:
    put_yolo(tmp_path, [BOX, BOX])
    for label in (tmp_path / "labels" / "train").iterdir():
        label.rename(label.with_name(f"other{label.name}"))

    assert only_finding(tmp_path).code == "labels_missing"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("cat 0.5 0.5 0.5 0.5", "label_malformed"),
        ("0 0.5 0.5 0.5", "label_malformed"),
        ("0 0.5 0.5 0.5 0.5 0.9", "label_malformed"),
        ("0", "label_malformed"),
        ("0 0.5 0.5 nan 0.5", "label_malformed"),
        ("0 0.5 0.5 inf 0.5", "label_malformed"),
        ("0 0.5 0.5 -0.5 0.5", "label_outside_image"),
        ("2 0.5 0.5 0.5 0.5", "class_unknown"),
        ("-1 0.5 0.5 0.5 0.5", "class_unknown"),
        ("0.5 0.5 0.5 0.5 0.5", "class_unknown"),
        ("0 20 10 20 10", "label_outside_image"),
        ("0 0.1 0.1 0.9 0.1 0.5 1.5", "label_outside_image"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, code: str) -> None:
    finding = only_finding(put_yolo(tmp_path, [f"{BOX}\n\n{line}\n"], [BOX]))

    assert (finding.code, finding.file, finding.line) == (code, "labels/train/0.txt", 3)


@pytest.mark.parametrize("line", ["0 0.5 0.5 0.5 0.5", "0 0.5 0.5 0.5 0.5 0.25 0.5 2 0.9 0.9 3"])
def test_a_line_that_does_not_fit_its_keypoints_is_refused(tmp_path: Path, line: str) -> None:
    assert only_finding(put_yolo(tmp_path, [line, ""], config=POSE)).code == "label_malformed"


def test_a_box_over_the_edge_is_cut_and_mentioned(tmp_path: Path) -> None:
    dataset = open_dataset(put_yolo(tmp_path, ["0 0.0 0.5 0.5 0.5"], [BOX]))

    assert dataset["train"][0].instances[0].box == (0, 5, 10, 15)
    assert [finding.code for finding in dataset.findings] == ["box_clipped"]


def test_a_rounding_error_over_the_edge_is_not_mentioned(tmp_path: Path) -> None:
    dataset = open_dataset(put_yolo(tmp_path, ["0 0.25 0.5 0.505 0.5"], [BOX]))

    assert dataset["train"][0].instances[0].box[0] == 0
    assert not dataset.findings


def test_repeated_and_empty_objects_are_left_out_and_mentioned(tmp_path: Path) -> None:
    dataset = open_dataset(put_yolo(tmp_path, [f"{BOX}\n{BOX}\n0 0.5 0.5 0 0.1"], [BOX]))

    assert len(dataset["train"][0].instances) == 1
    assert [(finding.code, finding.line) for finding in dataset.findings] == [("label_repeated", 2), ("box_empty", 3)]


def test_names_in_hangul_are_found_whichever_way_they_are_composed(tmp_path: Path) -> None:
    put_text(tmp_path / "data.yaml", "train: images/학습\nnames: [고양이]\n")
    for name in ("가", "나"):
        put_image(tmp_path / "images" / "학습" / f"{name}.png")
        put_text(tmp_path / "labels" / "학습" / f"{name}.txt", BOX)

    assert len(instances(open_dataset(tmp_path))) == 2
