"""Splits by fraction and seed, asked for with an upload."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import select
from support.common import fields_of, problem_of
from support.dataset_api import DatasetApi, coins, prepare_in_thread

from data_kit import extract_archive, open_dataset
from vision_api.datasets.processing.prepare_process import prepare_in_process
from vision_api.models import DatasetVersion
from vision_api.platform import platform_of

pytestmark = pytest.mark.one_database


async def archive_of(app: FastAPI) -> Path:
    async with platform_of(app).database.snapshot() as session:
        (uri,) = (await session.execute(select(DatasetVersion.archive_uri))).scalars()
    return platform_of(app).store.local_path(uri)


@pytest.mark.parametrize("prepare", [prepare_in_thread, prepare_in_process])
async def test_every_reader_of_the_archive_sees_the_splits_that_were_asked_for(
    api: DatasetApi, app: FastAPI, tmp_path: Path, prepare: object
) -> None:
    api.processor._prepare_archive = prepare  # type: ignore[assignment]
    dataset = await api.ready(coins(20), name="coins", val_fraction="0.25", test_fraction="0.1", split_seed="7")

    assert dataset["splits"] == {"train": {"images": 13}, "val": {"images": 5}, "test": {"images": 2}}
    assert dataset["split_options"] == {"val_fraction": 0.25, "test_fraction": 0.1, "split_seed": 7}
    extract_archive(await archive_of(app), tmp_path / "out")
    first, second = (open_dataset(tmp_path / "out", seed=seed) for seed in (1, 2))
    assert first.splits == second.splits
    assert {split: len(samples) for split, samples in first.splits.items()} == {"train": 13, "val": 5, "test": 2}


async def test_the_seed_is_a_part_of_the_content(api: DatasetApi) -> None:
    digests = [(await api.ready(coins(20), name="x", split_seed=seed))["digest"] for seed in ("1", "2", "1")]

    assert digests[0] == digests[2] != digests[1]


async def test_a_new_version_may_be_split_in_another_way(api: DatasetApi) -> None:
    dataset = await api.ready(coins(20))

    created = await api.upload_version(dataset["id"], coins(20), val_fraction="0.5", resplit="true")
    await api.process()

    assert created.status_code == 202
    versions = (await api.get(f"/{dataset['id']}/versions")).json()
    assert [version["splits"]["val"]["images"] for version in versions] == [10, 4]
    assert versions[1]["split_options"] is None


async def test_fractions_that_leave_a_split_empty_make_it_invalid(api: DatasetApi) -> None:
    dataset = await api.ready(coins(20), name="x", val_fraction="0")

    assert dataset["status"] == "invalid"
    (finding,) = (await api.get(f"/{dataset['id']}/findings")).json()
    assert finding["code"] == "split_empty"
    assert "`val`" in finding["message"]


async def test_a_val_of_its_own_is_kept_with_a_finding(api: DatasetApi) -> None:
    own = {"set/data.yaml": b"train: images\nval: images/0.png\nnames: [coin]\n"}

    dataset = await api.ready(coins(20, **own), name="x", val_fraction="0.5")

    assert dataset["splits"]["val"] == {"images": 1}
    assert "split_kept" in {item["code"] for item in (await api.get(f"/{dataset['id']}/findings")).json()}


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"val_fraction": "0.95"}, "val_fraction"),
        ({"val_fraction": "-0.1"}, "val_fraction"),
        ({"test_fraction": "nan"}, "test_fraction"),
        ({"test_fraction": "half"}, "test_fraction"),
        ({"split_seed": "1.5"}, "split_seed"),
        ({"resplit": "perhaps"}, "resplit"),
        ({"val_fraction": "0.5", "test_fraction": "0.5"}, ""),
    ],
)
async def test_wrong_fractions_are_refused(api: DatasetApi, form: dict[str, str], field: str) -> None:
    problem = problem_of(await api.upload(coins(), name="x", **form), 422, "validation_failed")

    assert fields_of(problem) == [field]
