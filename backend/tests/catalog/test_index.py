"""Finding cards: pure, without HTTP and database."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.small_service import make_card, make_list

from vision_api.catalog.index import CatalogIndex, entries_after, position
from vision_api.catalog.schemas import ModelFilter, ModelSort
from vision_contracts import ModelCard, TaskType

CARDS = [
    make_card("resnet18", priority=0, params=11, pretrained_available=True, tags=["Classic"]),
    make_card("vit_tiny", priority=1, params=5, display_name="Vision Transformer"),
    make_card("yolo11n", priority=0, params=2, task_types=[TaskType.OBJECT_DETECTION], pretrained_available=True),
    make_card("google/vit", priority=2, params=86),
]
INDEX = CatalogIndex([make_list(*CARDS), make_list(make_card("resnet18", params=12), framework="other")])


def names(wanted: ModelFilter, sort: ModelSort = ModelSort.PRIORITY) -> list[str]:
    return [entry.card.model_name for entry in INDEX.find(wanted, sort)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ModelFilter(framework="other"), ["resnet18"]),
        (ModelFilter(framework="nobody's"), []),
        (ModelFilter(task_type=TaskType.OBJECT_DETECTION), ["yolo11n"]),
        (ModelFilter(priority=0), ["resnet18", "yolo11n"]),
        (ModelFilter(pretrained=True), ["resnet18", "yolo11n"]),
        (ModelFilter(pretrained=False, framework="small"), ["vit_tiny", "google/vit"]),
        (ModelFilter(min_params=12), ["google/vit", "resnet18"]),
        (ModelFilter(max_params=0), []),
        (ModelFilter(min_params=5, max_params=11), ["resnet18", "vit_tiny"]),
        (ModelFilter(q="TRANSFORMER"), ["vit_tiny"]),
        (ModelFilter(q="classic resnet"), ["resnet18"]),
        (ModelFilter(q="classic vit"), []),
        (ModelFilter(q="  "), ["resnet18", "yolo11n", "vit_tiny", "google/vit", "resnet18"]),
    ],
)
def test_a_filter_leaves_what_meets_it(wanted: ModelFilter, found: list[str]) -> None:
    assert names(wanted) == found


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("priority", ["resnet18", "yolo11n", "vit_tiny", "google/vit", "resnet18"]),
        ("-priority", ["google/vit", "resnet18", "vit_tiny", "resnet18", "yolo11n"]),
        ("name", ["google/vit", "resnet18", "resnet18", "vit_tiny", "yolo11n"]),
        ("-name", ["yolo11n", "vit_tiny", "resnet18", "resnet18", "google/vit"]),
        ("params", ["yolo11n", "vit_tiny", "resnet18", "resnet18", "google/vit"]),
        ("-params", ["google/vit", "resnet18", "resnet18", "vit_tiny", "yolo11n"]),
    ],
)
def test_every_order(sort: str, found: list[str]) -> None:
    assert names(ModelFilter(), ModelSort(sort)) == found


def some_card(priority: int, params: int, name: str) -> ModelCard:
    return make_card(name, priority=priority, params=params)


cards = st.lists(
    st.builds(some_card, st.integers(0, 2), st.integers(0, 3), st.text("ab/", min_size=1, max_size=3)),
    unique_by=lambda card: card.model_name,
    max_size=12,
)


@given(cards, st.sampled_from(ModelSort), st.integers(1, 5))
def test_pages_make_up_the_whole_list(some: list[ModelCard], sort: ModelSort, limit: int) -> None:
    whole = CatalogIndex([make_list(*some)]).find(ModelFilter(), sort)
    rest, seen = whole, []
    while rest:
        page = rest[:limit]
        seen += page
        rest = entries_after(whole, sort, position(page[-1].card, sort))

    assert seen == whole
    positions = [position(entry.card, sort) for entry in whole]
    assert all(first != second for first, second in pairwise(positions))


def test_a_detail_has_the_schema_with_the_cards_own_defaults() -> None:
    detail = INDEX.detail("small", "google/vit")

    assert detail is not None
    assert detail.hyperparameters["properties"]["dropout"]["default"] == 0.0
    assert detail.hyperparameters["x-named-fields"]["batch_size"]["default"] == 32


def test_there_is_no_detail_of_an_unknown_model() -> None:
    assert INDEX.detail("small", "resnet18000") is None
    assert INDEX.detail("nobody's", "resnet18") is None
