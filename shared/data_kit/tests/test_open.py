from pathlib import Path

import pytest
from building import BOX, OUTLINE, findings_of, only_finding, put_classes, put_coco, put_image, put_text, put_yolo

from data_kit import DatasetError, Split, detect_format, open_dataset
from vision_contracts import DatasetFormat, TaskType

VOC = "<annotation><object><name>cat</name></object></annotation>"


def test_each_format_is_known_by_its_content(tmp_path: Path) -> None:
    put_coco(put_image(tmp_path / "coco" / "a.png").with_name("labels.json"), [])
    put_text(tmp_path / "voc" / "Annotations" / "a.xml", VOC)
    put_yolo(tmp_path / "yolo", [BOX])
    put_classes(tmp_path / "imagefolder", {"train/cat": 1, "train/dog": 1})

    assert {folder.name: detect_format(folder) for folder in tmp_path.iterdir()} == {
        name: DatasetFormat(name) for name in ("coco", "voc", "yolo", "imagefolder")
    }


def test_data_yaml_wins_over_annotations_beside_it(tmp_path: Path) -> None:
    put_coco(put_yolo(tmp_path, [BOX]) / "annotations" / "instances_train.json", [])

    assert detect_format(tmp_path) is DatasetFormat.YOLO


def test_a_yaml_file_about_something_else_is_no_data_yaml(tmp_path: Path) -> None:
    put_text(put_classes(tmp_path / "folders", {"cat": 2, "dog": 2}) / "config.yaml", "epochs: 3\nsteps:\n  train: x\n")
    put_text(put_yolo(tmp_path / "yolo", [BOX] * 2) / "a.yaml", "epochs: 3\n")
    (tmp_path / "yolo" / "data.yaml").rename(tmp_path / "yolo" / "pets.yaml")

    assert detect_format(tmp_path / "folders") is DatasetFormat.IMAGEFOLDER
    assert open_dataset(tmp_path / "yolo").class_names == ("cat", "dog")


@pytest.mark.parametrize(
    "content", ["{train: images/train, names: [cat]}", "\ufeff'names': [cat]\ntrain: images/train"]
)
def test_a_yaml_file_of_any_name_is_known_by_its_keys(tmp_path: Path, content: str) -> None:
    (put_yolo(tmp_path, [BOX] * 2) / "data.yaml").unlink()
    put_text(tmp_path / "pets.yml", content)

    assert open_dataset(tmp_path).class_names == ("cat",)


def test_a_named_format_is_read_though_another_is_there(tmp_path: Path) -> None:
    put_coco(put_yolo(tmp_path, [BOX]) / "annotations" / "instances_train.json", [])

    assert only_finding(tmp_path, format=DatasetFormat.COCO).code == "image_missing"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    finding = only_finding(tmp_path / "nothing")

    assert finding.code == "dataset_missing"
    assert str(tmp_path / "nothing") in finding.message


def test_an_empty_folder_is_said_to_be_empty(tmp_path: Path) -> None:
    assert only_finding(tmp_path).code == "dataset_empty"


def test_files_of_no_format_are_no_data_set(tmp_path: Path) -> None:
    put_text(tmp_path / "notes.md", "hello")

    assert only_finding(tmp_path).code == "format_unknown"


def test_one_folder_around_everything_is_looked_through(tmp_path: Path) -> None:
    put_yolo(tmp_path / "my set" / "inner", [BOX, BOX])
    put_text(tmp_path / ".DS_Store", "")
    put_text(tmp_path / "__MACOSX" / "inner", "")

    assert open_dataset(tmp_path).root == tmp_path / "my set" / "inner"


def test_without_val_a_fifth_of_train_becomes_it(tmp_path: Path) -> None:
    dataset = open_dataset(put_classes(tmp_path, {"cat": 10, "dog": 20}))

    assert dataset.is_val_split_off
    assert [sum(s.class_id == c for s in dataset["val"]) for c in (0, 1)] == [2, 4]
    assert [sum(s.class_id == c for s in dataset["train"]) for c in (0, 1)] == [8, 16]


def test_the_seed_alone_decides_what_is_split_off(tmp_path: Path) -> None:
    put_classes(tmp_path, {"cat": 30, "dog": 30})

    first, same, other = (open_dataset(tmp_path, seed=seed).splits for seed in (1, 1, 2))

    assert first == same
    assert first[Split.VAL] != other[Split.VAL]


def test_a_val_that_is_there_is_kept(tmp_path: Path) -> None:
    dataset = open_dataset(put_classes(tmp_path, {"train/a": 3, "train/b": 3, "valid/a": 1, "validation/b": 1}))

    assert not dataset.is_val_split_off
    assert len(dataset["val"]) == 2


def test_a_set_without_train_is_refused(tmp_path: Path) -> None:
    assert only_finding(put_classes(tmp_path, {"val/a": 2, "val/b": 2})).code == "split_missing"


def test_one_image_is_too_few_to_split(tmp_path: Path) -> None:
    assert only_finding(put_yolo(tmp_path, [BOX])).code == "too_few_images"


def test_a_train_without_one_object_is_refused(tmp_path: Path) -> None:
    assert only_finding(put_yolo(tmp_path, ["", ""])).code == "labels_missing"


def test_a_task_that_the_labels_cannot_train_is_refused_with_those_that_they_can(tmp_path: Path) -> None:
    finding = only_finding(put_yolo(tmp_path, [BOX, BOX]), task_type=TaskType.INSTANCE_SEGMENTATION)

    assert finding.code == "task_not_supported"
    assert "object_detection" in finding.message
    assert "outline" in finding.fix


def test_one_box_among_outlines_keeps_segmentation_out(tmp_path: Path) -> None:
    assert open_dataset(put_yolo(tmp_path, [OUTLINE, f"{OUTLINE}\n{BOX}"])).task_types == {TaskType.OBJECT_DETECTION}


def put_outlines(root: Path, classes: int) -> Path:
    names = [f"class {number}" for number in range(classes)]
    return put_yolo(root, [OUTLINE, OUTLINE], config=f"names: {names}")


@pytest.mark.parametrize(("classes", "is_possible"), [(254, True), (255, False)])
def test_more_classes_than_a_pixel_can_be_labelled_with_keep_semantic_segmentation_out(
    tmp_path: Path, classes: int, is_possible: bool
) -> None:
    tasks = open_dataset(put_outlines(tmp_path, classes)).task_types

    assert (TaskType.SEMANTIC_SEGMENTATION in tasks) is is_possible
    assert TaskType.INSTANCE_SEGMENTATION in tasks


def test_too_many_classes_for_semantic_segmentation_are_refused_with_the_limit(tmp_path: Path) -> None:
    finding = only_finding(put_outlines(tmp_path, 255), task_type=TaskType.SEMANTIC_SEGMENTATION)

    assert finding.code == "task_not_supported"
    assert "254 classes at most" in finding.fix


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    put_yolo(tmp_path, [f"{BOX}\nx", "5 0.5 0.5 0.1 0.1", BOX])
    (tmp_path / "images" / "train" / "2.png").write_bytes(b"")

    errors = [(f.code, f.file, f.line) for f in findings_of(tmp_path)]

    assert errors == [
        ("label_malformed", "labels/train/0.txt", 2),
        ("class_unknown", "labels/train/1.txt", 1),
        ("image_unreadable", "images/train/2.png", None),
    ]


def test_the_error_names_file_line_and_fix(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"^labels/train/0\.txt:2: .*x.* Write `class"):
        open_dataset(put_yolo(tmp_path, [f"{BOX}\nx", BOX]))


def test_thousands_of_findings_become_a_hundred_and_a_count(tmp_path: Path) -> None:
    findings = findings_of(put_yolo(tmp_path, ["x\n" * 250, BOX]))

    assert len(findings) == 101
    assert findings[-1].message.startswith("150 more")


def test_a_cut_off_image_is_found_by_a_deep_look_only(tmp_path: Path) -> None:
    put_classes(tmp_path, {"cat": 3, "dog": 3})
    broken = put_image(tmp_path / "cat" / "big.jpg", (300, 300))
    broken.write_bytes(broken.read_bytes()[:1000])

    assert open_dataset(tmp_path).num_classes == 2
    assert only_finding(tmp_path, deep=True).file == "cat/big.jpg"


def test_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    secret = put_image(tmp_path / "secret.png")
    root = put_classes(tmp_path / "set", {"cat": 3, "dog": 3})
    (root / "cat" / "link.png").symlink_to(secret)

    assert only_finding(root).code == "link_leaves_root"


def test_a_link_to_a_folder_outside_is_refused(tmp_path: Path) -> None:
    put_classes(tmp_path / "elsewhere", {"cat": 3})
    root = put_classes(tmp_path / "set", {"dog": 3})
    (root / "cat").symlink_to(tmp_path / "elsewhere" / "cat")

    assert "link_leaves_root" in {finding.code for finding in findings_of(root)}


def test_a_link_inside_the_root_is_a_file_like_others(tmp_path: Path) -> None:
    root = put_classes(tmp_path, {"cat": 2, "dog": 2})
    (root / "cat" / "link.png").symlink_to(root / "cat" / "0.png")

    assert sum(map(len, open_dataset(root).splits.values())) == 5


def test_one_name_composed_in_two_ways_is_refused(tmp_path: Path) -> None:
    root = put_classes(tmp_path, {"cat": 2, "dog": 2})
    for name in ("\u00e9", "e\u0301"):
        put_image(root / "cat" / f"{name}.png")

    finding = only_finding(root)

    assert (finding.code, finding.file) == ("archive_name_clash", "cat/\u00e9.png")


@pytest.mark.parametrize("target", ["loop.png", "back.png", "none.png", "."])
def test_a_link_to_no_file_is_warned_of_and_left_out(tmp_path: Path, target: str) -> None:
    root = put_classes(tmp_path, {"cat": 2, "dog": 2})
    (root / "cat" / "loop.png").symlink_to(target)
    if target == "back.png":
        (root / "cat" / "back.png").symlink_to("loop.png")

    dataset = open_dataset(root)

    assert sum(map(len, dataset.splits.values())) == 4
    assert {(finding.code, finding.severity) for finding in dataset.findings} == {("link_ignored", "warning")}
    assert "cat/loop.png" in {finding.file for finding in dataset.findings}


def test_a_root_that_is_a_link_is_followed(tmp_path: Path) -> None:
    put_classes(tmp_path / "real", {"cat": 2, "dog": 2})
    (tmp_path / "link").symlink_to(tmp_path / "real")

    assert open_dataset(tmp_path / "link").root == tmp_path / "real"


FIVE_CORNERS, FOUR_CORNERS = "0 .1 .1 .9 .1 .9 .9 .5 .9 .1 .5", "0 .1 .1 .9 .1 .9 .9 .1 .9"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([OUTLINE, f"{OUTLINE}\n{BOX}"], "1 of 4 objects have no outline, the first in `images/train/1.png`"),
        ([FOUR_CORNERS, FIVE_CORNERS, FOUR_CORNERS], "1 of 4 objects have no outline of four corners"),
    ],
)
def test_a_few_objects_that_rule_out_a_task_are_warned_of(tmp_path: Path, labels: list[str], message: str) -> None:
    (finding,) = open_dataset(put_yolo(tmp_path, labels, labels[:1])).findings

    assert (finding.code, finding.file, finding.severity) == ("outlines_incomplete", "images/train/1.png", "warning")
    assert message in finding.message


@pytest.mark.parametrize("labels", [[BOX] * 2, [OUTLINE] * 2, [FOUR_CORNERS] * 2, [FIVE_CORNERS, FOUR_CORNERS]])
def test_outlines_that_are_complete_are_no_finding(tmp_path: Path, labels: list[str]) -> None:
    assert not open_dataset(put_yolo(tmp_path, labels, labels[:1])).findings
