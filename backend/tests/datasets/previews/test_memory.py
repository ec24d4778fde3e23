"""Memory of the backend's own process while it takes and shows the largest images that are accepted."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI
from support.dataset_api import DatasetApi, processor_with, zipped
from support.worst_images import WORST

from vision_api.datasets.processing.prepare_process import prepare_in_process

pytestmark = [pytest.mark.one_database, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

MOST_BYTES = 100_000_000
FEW = ["16-bit RGB", "JPEG CMYK progressive", "palette with transparency", "WebP with alpha"]


def memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def begin_peak_anew() -> None:
    Path("/proc/self/clear_refs").write_text("5")


@pytest.fixture
def api(api: DatasetApi, app: FastAPI, tmp_path: Path) -> DatasetApi:
    """Checks of uploads run in a process, as in production."""
    return replace(api, processor=processor_with(app, tmp_path, prepare_in_process))


async def peak_above_idle(api: DatasetApi, names: list[str]) -> int:
    """Return how far the peak of this process lies above its memory, from the upload to the last preview."""
    makers = [WORST[name] for name in names]
    content = zipped({f"c{i % 2}/{i}.{suffix}": make() for i, (suffix, make) in enumerate(makers)})
    await api.ready(zipped({f"c{i}/{i}.png": WORST["bits"][1]() for i in range(2)}))  # imports everything
    begin_peak_anew()
    idle = memory("VmRSS")
    dataset = await api.ready(content)
    for split, counts in dataset["splits"].items():
        for index in range(counts["images"]):
            response = await api.get(f"/{dataset['id']}/preview?split={split}&index={index}&size=2048")
            assert response.status_code == 200, response.text
    assert sum(counts["images"] for counts in dataset["splits"].values()) == len(names)
    return memory("VmHWM") - idle


async def test_the_largest_images_of_some_modes_do_not_reach_the_backends_memory(api: DatasetApi) -> None:
    assert await peak_above_idle(api, FEW) < MOST_BYTES


@pytest.mark.thorough
async def test_the_largest_image_of_no_mode_reaches_the_backends_memory(api: DatasetApi) -> None:
    assert await peak_above_idle(api, list(WORST)) < MOST_BYTES
