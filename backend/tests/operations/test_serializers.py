"""Rows of operations that are read together."""

import httpx
from fastapi import FastAPI
from support.full_projects import fill_project

from vision_api.db.session import Database
from vision_api.models import User
from vision_api.platform import platform_of


async def test_each_operation_of_a_list_has_its_own_files_and_last_values_as_when_it_is_read_alone(
    api: httpx.AsyncClient, app: FastAPI, database: Database, owner: User
) -> None:
    full = await fill_project(database, platform_of(app).store, owner, 3)
    address = f"/api/v1/training/jobs/{full.job_id}/operations"
    listed = (await api.get(address)).json()
    newest, second, oldest = listed
    assert (newest["kind"], newest["queue_position"]) == ("predict", 4)  # after an experiment and two operations
    assert [each["name"] for each in newest["artifacts"]] == [f"drawings/{index}.png" for index in range(3)]
    for operation in (second, oldest):
        name = f"evaluations/{operation['id']}.json"
        [made] = operation["artifacts"]
        assert (made["name"], made["url"]) == (name, f"/api/v1/training/jobs/{full.job_id}/artifacts/{name}")
    for operation in listed:
        assert operation["values"] == {"val/accuracy": 0.2, "val/loss": 0.2}
        assert (await api.get(f"{address}/{operation['id']}")).json() == operation
    assert (await api.get(address, params={"limit": 2})).json() == [newest, second]
