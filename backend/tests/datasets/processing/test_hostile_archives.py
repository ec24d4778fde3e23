"""Archives that nobody should send: each is refused by name, and nothing of it stays."""

import unicodedata
from pathlib import Path
from uuid import uuid4

import pytest
from fastapi import FastAPI
from support.dataset_api import DatasetApi, coins, png, zipped
from support.hostile_archives import HOSTILE, Hostile, with_entry

from vision_api.platform import platform_of
from vision_api.training_jobs.loops.retention import DEFAULT_RETENTION
from vision_api.training_jobs.loops.sweep import SweepLoop

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.parametrize(
        "database_url", ["postgresql"], indirect=True
    ),  # PostgreSQL refuses more text than SQLite does
]


def leftovers(tmp_path: Path) -> list[Path]:
    """All that uploads may leave."""
    folders = [tmp_path / name for name in ("storage", "processing", "uploads")]
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return found + list(tmp_path.rglob("up.txt"))


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)
async def test_a_hostile_archive_is_invalid_and_leaves_nothing(
    api: DatasetApi, app: FastAPI, tmp_path: Path, hostile: Hostile
) -> None:
    dataset = await api.ready(hostile.make())
    findings = (await api.get(f"/{dataset['id']}/findings")).json()

    assert dataset["status"] == "invalid", findings
    errors = [finding for finding in findings if finding["severity"] == "error"]
    assert {finding["code"] for finding in errors} == {hostile.code}, errors
    assert all(finding["fix"] and len(finding["message"]) < 1000 for finding in errors)
    await SweepLoop(platform_of(app).database, platform_of(app).store, DEFAULT_RETENTION, owner=uuid4()).tick()
    assert leftovers(tmp_path) == []


HARMLESS = {
    "reserved on Windows": "set/images/CON.png",
    "stream on Windows": "set/images/a.png:b.png",
    "dots of full width": "set/images/\uff0e\uff0e\uff0fup.png",
    "written backwards": "set/images/\u202egnp.png",
    "much space": "set/images/a   b.png",
    "255 bytes": f"set/images/{'가' * 83}aa.png",
}


@pytest.mark.parametrize("name", HARMLESS.values(), ids=HARMLESS)
async def test_an_odd_name_is_a_name(api: DatasetApi, name: str) -> None:
    dataset = await api.ready(with_entry(name, png((9, 9, 9))))

    assert (dataset["status"], dataset["num_images"]) == ("ready", 6)


async def test_names_in_other_forms_of_unicode_are_one_name(api: DatasetApi) -> None:
    name = unicodedata.normalize("NFD", "고양이")
    dataset = await api.ready(zipped({f"{kind}/{i}.png": png((i, 0, 0)) for kind in (name, "개") for i in range(3)}))

    assert dataset["class_names"] == ["개", "고양이"]


async def test_a_good_archive_after_all_of_them_is_good(api: DatasetApi) -> None:
    for hostile in HOSTILE[::10]:
        await api.upload(hostile.make())

    assert (await api.ready(coins()))["status"] == "ready"
