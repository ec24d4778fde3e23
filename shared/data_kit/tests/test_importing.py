"""Folders and buckets are copied under the rules of archives."""

from pathlib import Path

import pytest

from data_kit import ArchiveLimits, DatasetError, copy_folder, copy_objects, open_store


def ignore(done: int, total: int) -> None:
    pass


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def codes(caught: pytest.ExceptionInfo[DatasetError]) -> list[str]:
    return sorted({finding.code for finding in caught.value.findings})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "cat").mkdir(parents=True)
    (source / "cat/1.png").write_bytes(b"one")
    (source / "cat/2.png").symlink_to("1.png")
    (source / ".hidden").write_bytes(b"x")
    return source


def test_links_inside_become_files_and_hidden_files_stay(source: Path, tmp_path: Path) -> None:
    reported: list[tuple[int, int]] = []
    copy_folder(source, tmp_path / "copy", ArchiveLimits(), lambda done, total: reported.append((done, total)))

    assert files_below(tmp_path / "copy") == {"cat/1.png": b"one", "cat/2.png": b"one"}
    assert not (tmp_path / "copy/cat/2.png").is_symlink()
    assert reported[-1] == (6, 6)


def test_a_link_that_leads_out_is_refused_before_anything_is_copied(source: Path, tmp_path: Path) -> None:
    (source / "out.png").symlink_to("/etc/hostname")

    with pytest.raises(DatasetError) as caught:
        copy_folder(source, tmp_path / "copy", ArchiveLimits(), ignore)

    assert codes(caught) == ["link_leaves_root"]
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    ("name", "limits", "code"),
    [
        ("b/x.zip", ArchiveLimits(), "archive_nested"),
        ("CAT/1.PNG", ArchiveLimits(), "archive_name_clash"),
        ("b/3.png", ArchiveLimits(max_files=2), "archive_too_many_files"),
        ("b/3.png", ArchiveLimits(max_bytes=6), "archive_too_large"),
    ],
)
def test_what_an_archive_may_not_hold_a_folder_may_not_either(
    source: Path, tmp_path: Path, name: str, limits: ArchiveLimits, code: str
) -> None:
    (source / name).parent.mkdir(exist_ok=True)
    (source / name).write_bytes(b"x")

    with pytest.raises(DatasetError) as caught:
        copy_folder(source, tmp_path / "copy", limits, ignore)

    assert codes(caught) == [code]


def test_objects_are_copied_by_their_names_below_the_prefix(s3_url: str, tmp_path: Path) -> None:
    store = open_store(s3_url)
    for key in ("sets/a/cat/1.png", "sets/a/dog/2.png", "sets/a/.DS_Store", "sets/ab/3.png", "sets/a/cat"):
        store.put_bytes(b"" if key == "sets/a/cat" else b"content", key)

    copy_objects(open_store(f"{s3_url}/sets"), "a", tmp_path / "copy", ArchiveLimits(), ignore)
    copy_objects(open_store(f"{s3_url}/sets/a"), "", tmp_path / "again", ArchiveLimits(), ignore)

    assert files_below(tmp_path / "copy") == {"cat/1.png": b"content", "dog/2.png": b"content"}
    assert files_below(tmp_path / "again") == files_below(tmp_path / "copy")


def test_an_empty_prefix_is_no_data_set(s3_url: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        copy_objects(open_store(s3_url), "nothing", tmp_path / "copy", ArchiveLimits(), ignore)

    assert codes(caught) == ["dataset_empty"]
