"""The routes under /models."""

import httpx
import pytest
from fastapi import FastAPI
from support.common import AuthHeaders, MakeUser, counted_statements, problem_of
from support.small_service import make_card, make_list

from vision_api.platform import platform_of

LIST = "/api/v1/models/list"


def names(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [card["model_name"] for card in answer.json()]


async def test_the_list_holds_cards_without_schemas(reader: httpx.AsyncClient) -> None:
    answer = await reader.get(LIST)

    assert names(answer) == ["resnet18", "yolo11n", "google/vit"]
    assert answer.headers["X-Total-Count"] == "3"
    card = answer.json()[0]
    assert card["framework"] == "small"
    assert card["params"] == 11
    assert not {"hyperparameters", "hyperparameters_ref"} & card.keys()


async def test_filters_and_order_are_query_parameters(reader: httpx.AsyncClient) -> None:
    assert names(await reader.get(LIST, params={"task_type": "object_detection"})) == ["yolo11n"]
    assert names(await reader.get(LIST, params={"sort": "-params", "max_params": 50})) == ["resnet18", "yolo11n"]


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("task_type", "telepathy"), ("priority", 3), ("sort", "size"), ("limit", 201), ("min_params", -1), ("frame", "x")],
)
async def test_a_wrong_parameter_is_named(reader: httpx.AsyncClient, parameter: str, value: str) -> None:
    answer = await reader.get(LIST, params={parameter: value})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [parameter]


async def test_following_the_links_gives_every_card_once(reader: httpx.AsyncClient) -> None:
    answer = await reader.get(LIST, params={"limit": 1, "sort": "-name"})
    seen = names(answer)
    while "next" in answer.links:
        answer = await reader.get(answer.links["next"]["url"])
        seen += names(answer)

    assert seen == ["yolo11n", "resnet18", "google/vit"]


async def test_a_cursor_of_another_order_is_refused(reader: httpx.AsyncClient) -> None:
    answer = await reader.get(LIST, params={"limit": 1, "sort": "params"})
    [cursor] = [httpx.URL(answer.links["next"]["url"]).params["cursor"]]

    for sort in ("-params", "name"):
        refused = await reader.get(LIST, params={"sort": sort, "cursor": cursor})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "cursor")


async def test_what_has_not_changed_is_not_sent_again(reader: httpx.AsyncClient, app: FastAPI) -> None:
    etag = (await reader.get(LIST)).headers["ETag"]

    for known in (etag, f'"other", W/{etag}', "*"):
        answer = await reader.get(LIST, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["ETag"] == etag
        assert answer.headers["X-Unavailable-Frameworks"] == "small"

    await platform_of(app).catalog.put(make_list(make_card("resnet34"), version="2.0"))
    assert names(await reader.get(LIST, headers={"If-None-Match": etag})) == ["resnet34"]


@pytest.mark.parametrize("path", ["small/google/vit", "small/google%2Fvit"])
async def test_a_model_has_its_schema(reader: httpx.AsyncClient, path: str) -> None:
    answer = await reader.get(f"/api/v1/models/{path}")

    assert answer.status_code == 200
    assert answer.json()["hyperparameters"]["additionalProperties"] is False
    assert "hyperparameters_ref" not in answer.json()


@pytest.mark.parametrize("path", ["small/resnet18000", "nobodys/resnet18", "small/../../etc/passwd"])
async def test_an_unknown_model_is_not_found(reader: httpx.AsyncClient, path: str) -> None:
    answer = await reader.get(f"/api/v1/models/{path}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_reading_needs_a_sign_in(reader: httpx.AsyncClient) -> None:
    await reader.get(LIST)
    del reader.headers["Authorization"]

    for path in (LIST, "/api/v1/models/small/resnet18"):
        assert (await reader.get(path)).status_code == 401


async def test_a_generated_password_must_be_changed_first(
    reader: httpx.AsyncClient, make_user: MakeUser, auth_headers: AuthHeaders
) -> None:
    await reader.get(LIST)
    headers = await auth_headers(await make_user(must_change_password=True))

    for path in (LIST, LIST, "/api/v1/models/small/resnet18"):
        problem_of(await reader.get(path, headers=headers), 403, "password_change_required")


async def test_a_forged_token_is_refused_every_time(reader: httpx.AsyncClient) -> None:
    forged = {"Authorization": reader.headers["Authorization"] + "x"}

    for _ in range(2):
        assert (await reader.get(LIST, headers=forged)).status_code == 401


async def test_a_list_takes_one_statement_at_most(reader: httpx.AsyncClient, app: FastAPI) -> None:
    counts: list[int] = []
    for limit in (1, 2, 3):
        with counted_statements(app) as statements:
            assert (await reader.get(LIST, params={"limit": limit})).status_code == 200
        counts.append(len(statements))

    assert counts == [1, 0, 0]  # the look-up of the user
