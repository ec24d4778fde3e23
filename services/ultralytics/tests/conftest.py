import os
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # several suites share the cores
os.environ.setdefault("YOLO_CONFIG_DIR", tempfile.mkdtemp(prefix="ultralytics-settings-"))

import pytest

SAMPLES = Path(__file__).parents[3] / "samples"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainer's working directory is its attempt's folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def digits() -> Path:
    return SAMPLES / "digits"


@pytest.fixture(scope="session")
def coins() -> Path:
    return SAMPLES / "coins"
