import subprocess
import sys
from collections import Counter

import pytest
from jobs import CARDS

from trainer_kit.catalog import load_catalog
from ultralytics_service.adapter import adapter
from ultralytics_service.architectures import architectures, find_architecture
from ultralytics_service.cards import make_cards
from ultralytics_service.kinds import Kind
from ultralytics_service.library import ROOT, ultralytics
from ultralytics_service.probe import measure, without_bias_init


def test_the_catalogue_is_of_the_installed_version() -> None:
    assert load_catalog(adapter.catalog_file).models.framework_version == ultralytics.__version__


def test_every_architecture_of_the_library_has_a_card() -> None:
    shipped = {architecture.name for architecture in architectures()}
    one_size = {name for name in shipped if find_architecture(name).stem in CARDS and name not in CARDS}
    assert set(CARDS) == (shipped - one_size) | {find_architecture(name).stem for name in one_size}
    assert {find_architecture(name).stem for name in one_size} == {"yolov8-cls-resnet50", "yolov8-cls-resnet101"}


def test_every_yaml_is_used_but_for_open_vocabulary_and_depth() -> None:
    files = {file.stem for file in (ROOT / "cfg" / "models").glob("*/*.yaml")}
    unused = files - {architecture.stem for architecture in architectures()}
    assert all("world" in stem or "yoloe" in stem or "depth" in stem for stem in unused)


def test_every_kind_has_the_cards_that_the_library_makes_of_it() -> None:
    counts = Counter(card.hyperparameters_ref for card in CARDS.values())
    assert set(counts) == set(Kind)
    assert sum(counts.values()) >= 190


@pytest.mark.parametrize("name", ["yolo26n-pose", "yolo12n-cls", "yolov10n"])
def test_a_card_counts_what_the_library_builds(name: str) -> None:
    with without_bias_init():
        params, gmacs = measure(find_architecture(name))
    assert (params, round(gmacs, 3)) == (CARDS[name].params, CARDS[name].gmacs)


def test_scales_of_one_size_are_one_card(monkeypatch: pytest.MonkeyPatch) -> None:
    family = [architecture for architecture in architectures() if architecture.stem == "yolov8-cls-resnet50"]
    monkeypatch.setattr("ultralytics_service.cards.architectures", lambda: iter(family))
    assert len(family) == 5
    assert [card.model_name for card in make_cards()] == ["yolov8-cls-resnet50"]


def test_published_weights_are_named_as_their_makers_name_them() -> None:
    tags = {name: CARDS[name].pretrained_tags for name in ("yolo11n", "yolov5s", "yolov5m-p6", "yolov3-spp", "yolov6n")}
    assert tags == {
        "yolo11n": ["yolo11n"],
        "yolov5s": ["yolov5su"],
        "yolov5m-p6": ["yolov5m6u"],
        "yolov3-spp": ["yolov3-sppu"],
        "yolov6n": [],
    }
    assert all(card.pretrained_available == bool(card.pretrained_tags) for card in CARDS.values())


def test_serving_the_catalogue_needs_no_library() -> None:
    code = (
        "import sys, ultralytics_service.adapter, ultralytics_service.catalog\n"
        "print(sorted({'torch', 'ultralytics', 'cv2', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
