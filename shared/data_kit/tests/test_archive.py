import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from data_kit import ArchiveLimits, DatasetError, extract_archive

Fill = Callable[[zipfile.ZipFile], None]


def pack(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in entries:
            packed.writestr(name, content, zipfile.ZIP_DEFLATED)
    return path


def refused(archive: Path, limits: ArchiveLimits | None = None) -> set[str]:
    """The codes of what is wrong, after a look that nothing was left behind."""
    target = archive.parent / "out" / "target"
    target.parent.mkdir(exist_ok=True)
    with pytest.raises(DatasetError) as raised:
        extract_archive(archive, target, limits)
    assert list(target.parent.iterdir()) == []
    return {finding.code for finding in raised.value.findings}


def test_files_are_unpacked_and_leftovers_are_not(tmp_path: Path) -> None:
    archive = pack(
        tmp_path / "a.zip",
        ("set/train/cat/1.png", b"1"), ("set/data.yaml", b"2"), ("./set/./b", b"3"), ("set/empty/", b""),
        ("__MACOSX/set/._1.png", b"x"), ("set/.DS_Store", b"x"), ("set/Thumbs.db", b"x"),
    )  # fmt: skip

    extract_archive(archive, tmp_path / "out")

    found = {
        p.relative_to(tmp_path / "out").as_posix(): p.read_bytes() for p in tmp_path.glob("out/**/*") if p.is_file()
    }
    assert found == {"set/train/cat/1.png": b"1", "set/data.yaml": b"2", "set/b": b"3"}


def test_empty_folders_of_windows_are_no_files(tmp_path: Path) -> None:
    entries = (("train\\", b""), ("train\\cat\\", b""), ("train\\cat\\1.png", b"1"))

    extract_archive(pack(tmp_path / "a.zip", *entries), tmp_path / "out")

    assert [path.name for path in tmp_path.glob("out/**/*") if path.is_file()] == ["1.png"]
    assert (tmp_path / "out/train/cat/1.png").read_bytes() == b"1"


@pytest.mark.parametrize("name", ["../up", "a/../../up", "/etc/passwd", "..\\up", "C:\\up", "C:/up", "a\nb", ".."])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    assert refused(pack(tmp_path / "a.zip", ("good.txt", b""), (name, b"x"))) == {"path_leaves_root"}
    assert not (tmp_path / "up").exists()


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (kind | 0o777) << 16

    assert refused(pack(tmp_path / "a.zip", (entry, b"/etc/passwd"))) == {"archive_link"}


def test_an_archive_in_an_archive_is_refused(tmp_path: Path) -> None:
    assert refused(pack(tmp_path / "a.zip", ("inner.ZIP", b""), ("b.tar.gz", b""))) == {"archive_nested"}


def test_a_bomb_is_refused_by_its_ratio(tmp_path: Path) -> None:
    assert refused(pack(tmp_path / "a.zip", ("zeros", bytes(20_000_000)))) == {"archive_bomb"}


def test_a_small_file_of_any_ratio_is_no_bomb(tmp_path: Path) -> None:
    extract_archive(pack(tmp_path / "a.zip", ("zeros", bytes(1_000_000))), tmp_path / "out")

    assert (tmp_path / "out" / "zeros").stat().st_size == 1_000_000


def test_sizes_and_counts_are_limited(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", *((str(index), b"12345") for index in range(10)))

    assert refused(archive, ArchiveLimits(max_bytes=49)) == {"archive_too_large"}
    assert refused(archive, ArchiveLimits(max_files=9)) == {"archive_too_many_files"}
    extract_archive(archive, tmp_path / "out" / "ok", ArchiveLimits(max_bytes=50, max_files=10))


def test_a_long_list_of_entries_is_refused_before_it_is_read(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", *((f"{index:0200}", b"") for index in range(50)))

    assert refused(archive, ArchiveLimits(max_files=5)) == {"archive_too_many_files"}


@pytest.mark.parametrize("names", [("Cat.png", "cat.png"), ("a", "a/b"), ("A/b", "a"), ("é", "e\u0301"), ("x", "x")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_one_disk_cannot_hold_together_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    assert refused(pack(tmp_path / "a.zip", *((name, b"") for name in names))) == {"archive_name_clash"}


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", ("secret", b"x"))
    content = bytearray(archive.read_bytes())
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)

    assert refused(archive) == {"archive_encrypted"}


def test_an_empty_archive_is_refused(tmp_path: Path) -> None:
    assert refused(pack(tmp_path / "a.zip")) == {"dataset_empty"}


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8b\x08", b"PK\x05\x06", b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)

    assert refused(tmp_path / "a.zip") <= {"archive_broken", "archive_too_many_files"}


def test_an_archive_that_is_cut_off_or_changed_anywhere_leaves_nothing(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", ("a/b.txt", b"hello world" * 50), ("c.txt", bytes(range(256))))
    content = archive.read_bytes()
    for position in range(0, len(content), 11):
        archive.write_bytes(content[:position])
        assert refused(archive) == {"archive_broken"}
    for position in range(0, len(content), 2):
        archive.write_bytes(content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :])
        target = tmp_path / "out"
        try:
            extract_archive(archive, target)
        except DatasetError:
            assert not target.exists() or not list(target.iterdir())
        else:
            for path in [path for path in target.rglob("*") if path.is_file()]:
                assert path.read_bytes() in (b"hello world" * 50, bytes(range(256)))
                path.unlink()
            for path in sorted(target.rglob("*"), reverse=True):
                path.rmdir()
            target.rmdir()


def test_a_size_that_lies_writes_no_more_than_it_says(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", ("a", bytes(100_000)))
    content = bytearray(archive.read_bytes())
    struct.pack_into("<I", content, content.rindex(b"PK\x01\x02") + 24, 10)
    archive.write_bytes(content)

    assert refused(archive) == {"archive_broken"}


@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_hangul_names_without_a_flag_are_read(tmp_path: Path, encoding: str) -> None:
    raw = "고양이.txt".encode(encoding)
    archive = pack(tmp_path / "a.zip", ("x" * len(raw), b"1"))
    archive.write_bytes(archive.read_bytes().replace(b"x" * len(raw), raw))

    extract_archive(archive, tmp_path / "out")

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["고양이.txt"]
