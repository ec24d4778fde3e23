"""Memory and time that a large data set takes to prepare.

MANY_IMAGES=100000 pytest tests/datasets/processing/test_many_images.py -m thorough -s -o faulthandler_timeout=0
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_kit import ArchiveLimits
from vision_api.datasets.processing import prepare

IMAGES = int(os.environ.get("MANY_IMAGES", "3000"))
OBJECTS = 3
CLASSES = ("bolt", "nut", "washer")
START_BYTES, BYTES_PER_IMAGE = 150 * 1024**2, 8 * 1024

PREPARE = """
import sys
from vision_api.datasets.processing.prepare import main

code = main(sys.argv[1:])
with open("/proc/self/status") as status:  # `ru_maxrss` would count what started this process, too
    sys.exit(code or next(line for line in status if line.startswith("VmHWM")))
"""

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform != "linux", reason="other systems tell the peak of memory in other ways"),
]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Pictures of 96 x 72 pixels that all differ."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for index in range(IMAGES):
        cells = random.integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(cells.repeat(12, axis=0).repeat(12, axis=1)).save(folder / f"{index:06d}.jpg")
    return sorted(folder.iterdir())


def put_yolo(root: Path, pictures: list[Path]) -> None:
    (root / "labels").mkdir()
    for index, picture in enumerate(pictures):
        rows = (f"{(index + one) % 3} 0.{one + 2} 0.5 0.1 0.{index % 8 + 1}" for one in range(OBJECTS))
        (root / "labels" / picture.name).with_suffix(".txt").write_text("\n".join(rows))
    (root / "data.yaml").write_text(f"train: images\nnames: [{', '.join(CLASSES)}]\n")


def put_coco(root: Path, pictures: list[Path]) -> None:
    outline = [[10, 10, 60, 10, 60, 50, 35, 70, 10, 50]]
    content = {
        "images": [{"id": index, "file_name": picture.name} for index, picture in enumerate(pictures)],
        "annotations": [
            {"id": OBJECTS * image + one, "image_id": image, "category_id": one, "segmentation": outline}
            for image in range(len(pictures))
            for one in range(OBJECTS)
        ],
        "categories": [{"id": one, "name": name} for one, name in enumerate(CLASSES)],
    }
    (root / "labels.json").write_text(json.dumps(content))


@pytest.mark.parametrize("put", [put_yolo, put_coco])
def test_memory_grows_by_little_with_each_image(
    tmp_path: Path, pictures: list[Path], put: Callable[[Path, list[Path]], None]
) -> None:
    (tmp_path / "set/images").mkdir(parents=True)
    for picture in pictures:
        os.link(picture, tmp_path / "set/images" / picture.name)
    put(tmp_path / "set", pictures)
    options = [prepare.limits_json.dump_json(ArchiveLimits()).decode(), "null"]
    command = [sys.executable, "-c", PREPARE, str(tmp_path / "set"), str(tmp_path), *options]
    began = time.monotonic()

    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)

    took, (name, kilobytes, _) = time.monotonic() - began, ended.stderr.split()
    assert name == "VmHWM:"
    prepared = prepare.result_json.validate_json((tmp_path / prepare.RESULT_FILE).read_bytes())
    assert prepared.summary is not None
    assert prepared.summary.num_images == IMAGES
    peak = int(kilobytes) * 1024
    print(f"\n{put.__name__}: {IMAGES} images in {took:.0f} s, peak {peak / 1024**2:.0f} MiB")
    assert peak < START_BYTES + BYTES_PER_IMAGE * IMAGES
