import hashlib
import zipfile
from pathlib import Path

from building import BOX, put_classes, put_yolo

from data_kit import dataset_digest, extract_archive, open_dataset, stored_files, write_archive


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_digest_is_that_of_the_sorted_lines(tmp_path: Path) -> None:
    put_yolo(tmp_path, [BOX], [BOX])

    lines = []
    for path, split in [
        ("data.yaml", ""),
        ("images/train/0.png", "train"),
        ("images/val/0.png", "val"),
        ("labels/train/0.txt", ""),
        ("labels/val/0.txt", ""),
    ]:
        content = (tmp_path / path).read_bytes()
        lines.append(f"{path}\t{len(content)}\t{sha256(content)}\t{split}")
    assert dataset_digest(open_dataset(tmp_path)) == sha256("\n".join(lines).encode())


def test_packing_and_composing_names_change_nothing(tmp_path: Path) -> None:
    composed = put_classes(tmp_path / "a", {"가": 2, "나": 2})
    decomposed = put_classes(tmp_path / "b" / "wrapped", {"가": 2, "나": 2})
    (decomposed / ".DS_Store").write_bytes(b"x")

    assert dataset_digest(open_dataset(composed)) == dataset_digest(open_dataset(tmp_path / "b"))


def test_a_val_that_is_split_off_does_not_depend_on_the_seed(tmp_path: Path) -> None:
    put_classes(tmp_path, {"cat": 10, "dog": 10})

    assert dataset_digest(open_dataset(tmp_path, seed=1)) == dataset_digest(open_dataset(tmp_path, seed=2))


def test_a_changed_label_changes_the_digest(tmp_path: Path) -> None:
    before = dataset_digest(open_dataset(put_yolo(tmp_path, [BOX], [BOX])))
    (tmp_path / "labels" / "val" / "0.txt").write_text("")

    assert dataset_digest(open_dataset(tmp_path)) != before


def test_an_archive_of_the_same_content_has_the_same_bytes(tmp_path: Path) -> None:
    dataset = open_dataset(put_yolo(tmp_path / "set", [BOX], [BOX]))
    write_archive(dataset, tmp_path / "a.zip")
    extract_archive(tmp_path / "a.zip", tmp_path / "copy")
    write_archive(open_dataset(tmp_path / "copy"), tmp_path / "b.zip")

    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        assert packed.namelist() == sorted(packed.namelist())
        places = stored_files(tmp_path / "a.zip")
        content = (tmp_path / "a.zip").read_bytes()
        assert {n: content[start : start + size] for n, (start, size) in places.items()} == {
            name: packed.read(name) for name in packed.namelist()
        }
        assert {entry.compress_type for entry in packed.infolist()} == {zipfile.ZIP_STORED}
