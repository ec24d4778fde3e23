"""DATA_DIR before anything else starts."""

import subprocess
import sys
from pathlib import Path

import pytest

from vision_api.config import Settings
from vision_api.process.data_dir import check_free_space, own_data_dir
from vision_api.process.errors import StartError

TAKE_IT = """
import sys
from pathlib import Path
from vision_api.config import Settings
from vision_api.process.data_dir import own_data_dir
from vision_api.process.errors import StartError
try:
    folder, url, mode = sys.argv[1:]
    with own_data_dir(Settings(data_dir=Path(folder), database_url=url, training_execution_mode=mode)):
        print("ours")
except StartError as error:
    print(error)
"""


def take(data_dir: Path, database_url: str = "", mode: str = "subprocess") -> str:
    """Return the output of another process that locks this folder."""
    command = [sys.executable, "-c", TAKE_IT, str(data_dir), database_url, mode]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_the_folder_is_made(tmp_path: Path) -> None:
    with own_data_dir(Settings(data_dir=tmp_path / "a/b")):
        assert (tmp_path / "a/b").is_dir()


def test_a_second_backend_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    with own_data_dir(Settings(data_dir=tmp_path)):
        refused = take(tmp_path)

    assert refused.startswith("Another backend (process ")
    assert str(tmp_path) in refused
    assert take(tmp_path) == "ours"


def test_two_folders_with_one_sqlite_file_are_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'common.db'}"
    with own_data_dir(Settings(data_dir=tmp_path / "one", database_url=url, training_execution_mode="http")):
        assert take(tmp_path / "two", url, "http").startswith("Another backend")


def test_replicas_on_postgresql_share_what_they_like(tmp_path: Path) -> None:
    url = "postgresql://database/platform"
    with own_data_dir(Settings(data_dir=tmp_path, database_url=url, training_execution_mode="http")):
        assert take(tmp_path, url, "http") == "ours"


def test_a_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StartError, match="DATA_DIR"), own_data_dir(Settings(data_dir=tmp_path / "file")):
        pass


def test_too_little_space_is_reported_with_its_size(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="is full"):
        check_free_space(tmp_path, least_bytes=2**80)
