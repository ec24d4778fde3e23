"""Scenario 4: one catalogue of three frameworks (docs/scenarios/04-model-list-flow.md)."""

from collections import Counter
from typing import Any

import pytest
from client import Client
from conftest import problem_of


def all_cards(user: Client, **filters: Any) -> list[dict[str, Any]]:
    answer = user.http.get("/models/list", params={"limit": 200, **filters})
    cards = answer.json()
    while "next" in answer.links:
        answer = user.follow_link(answer.links["next"]["url"])
        cards += answer.json()
    return cards


def test_the_catalogue_has_every_framework_and_no_card_twice(user: Client) -> None:
    cards = all_cards(user)

    assert len(cards) >= 1500
    assert max(Counter((card["framework"], card["model_name"]) for card in cards).values()) == 1
    assert {card["framework"] for card in cards} == {"timm", "ultralytics", "huggingface"}
    assert all(card["params"] > 0 and card["task_types"] for card in cards)


@pytest.mark.parametrize("framework", ["timm", "ultralytics", "huggingface"])
def test_a_card_says_how_it_can_be_trained(user: Client, framework: str) -> None:
    [card] = user.get("/models/list", framework=framework, limit=1)
    assert "hyperparameters" not in card

    detail = user.get(f"/models/{framework}/{card['model_name']}")

    assert detail["hyperparameters"]["additionalProperties"] is False
    assert detail["hyperparameters"]["properties"]


def test_filters_and_order(user: Client) -> None:
    small = user.get("/models/list", task_type="object_detection", max_params=5_000_000, sort="-params", limit=20)

    sizes = [card["params"] for card in small]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] <= 5_000_000
    assert all("object_detection" in card["task_types"] for card in small)


def test_an_unchanged_list_is_not_sent_again(user: Client) -> None:
    etag = user.http.get("/models/list").headers["ETag"]

    assert user.http.get("/models/list", headers={"If-None-Match": etag}).status_code == 304


def test_an_unknown_model_does_not_exist(user: Client) -> None:
    assert problem_of(user.http.get("/models/timm/resnet18000")) == (404, "not_found")
