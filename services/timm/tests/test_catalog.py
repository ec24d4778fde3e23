"""The committed catalogue against the installed library."""

from importlib.metadata import version

import pytest
import timm
from trainings import get_card

from timm_service.adapter import adapter
from timm_service.architectures import pretrained_tags
from timm_service.capabilities import Capabilities
from timm_service.cards import BEST_KNOWN, display_name, make_card, recommended_batch_size, training_bytes
from timm_service.probe import probe
from trainer_kit.catalog import build_command, load_catalog

CATALOG = load_catalog(adapter.catalog_file).models


def test_every_architecture_of_the_library_that_classifies_has_exactly_one_card() -> None:
    names = [card.model_name for card in CATALOG.models]
    assert len(names) == len(set(names)) == CATALOG.model_count
    without = set(timm.list_models()) - set(names)
    assert set(names) <= set(timm.list_models())
    assert [name for name in without if probe(name) is not None] == []


def test_the_catalogue_is_of_the_installed_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert CATALOG.framework_version == version("timm")

    def never() -> None:
        raise AssertionError("nothing is to be built")

    assert build_command(adapter, never, []) == 0
    assert "up to date" in capsys.readouterr().err


def test_the_catalogue_is_small_enough_to_be_read_at_every_start() -> None:
    assert adapter.catalog_file.stat().st_size < 1_500_000


@pytest.mark.parametrize("name", ["test_vit", "resnet18", "crossvit_9_240", "tf_mobilenetv3_small_minimal_100"])
def test_a_card_says_what_the_library_says(name: str) -> None:
    assert make_card(probe(name)) == get_card(name)


def test_well_known_facts_are_right() -> None:
    card = get_card("resnet50")
    assert (card.params, card.input_size, card.family, card.priority) == (25_557_032, 224, "resnet", 0)
    assert card.gmacs == pytest.approx(4.1, abs=0.1)
    assert "a1_in1k" in card.pretrained_tags
    assert card.license == "apache-2.0"


def test_weights_are_claimed_only_where_they_are_published() -> None:
    for card in CATALOG.models:
        assert card.pretrained_available == bool(card.pretrained_tags), card.model_name
        assert card.pretrained_tags == pretrained_tags(card.model_name)
    without = [card for card in CATALOG.models if not card.pretrained_available]
    assert 150 < len(without) < 300


def test_every_cards_settings_are_those_of_its_schema() -> None:
    for card in CATALOG.models:
        settings = adapter.hyperparameters(card)
        assert set(CATALOG.schemas[card.hyperparameters_ref]["properties"]) == set(settings.model_fields)
        assert Capabilities.from_ref(card.hyperparameters_ref).ref == card.hyperparameters_ref
        settings()


def test_the_best_known_exist_and_come_first() -> None:
    assert set(timm.list_models()) >= BEST_KNOWN
    assert {card.model_name for card in CATALOG.models[: len(BEST_KNOWN)]} == BEST_KNOWN


def test_recommended_batches_fit_the_memory_that_is_claimed() -> None:
    for name in ("resnet18", "vit_base_patch16_224"):
        architecture = probe(name)
        batch_size = recommended_batch_size(architecture)
        assert training_bytes(architecture, batch_size) <= 12 << 30
        assert batch_size == 32 or training_bytes(architecture, 2 * batch_size) > 12 << 30


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("vit_tiny_patch16_224", "ViT tiny patch16 224"),
        ("resnet50", "ResNet-50"),
        ("seresnet50", "SE-ResNet-50"),
        ("swinv2_tiny_window8_256", "Swin V2 tiny window8 256"),
        ("dla34", "dla34"),
    ],
)
def test_names_are_written_as_people_know_them(name: str, written: str) -> None:
    assert display_name(name) == written
