"""Files that are replaced in one step."""

from pathlib import Path

import pytest

from trainer_kit.files import replacing


def test_the_new_content_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "last.pt"
    for content in (b"old", b"new"):
        with replacing(path) as file:
            file.write(content)
    assert path.read_bytes() == b"new"
    assert [found.name for found in path.parent.iterdir()] == ["last.pt"]


def test_an_error_while_writing_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), replacing(path) as file:
        file.write("what is no bytes")  # pyright: ignore[reportArgumentType]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
