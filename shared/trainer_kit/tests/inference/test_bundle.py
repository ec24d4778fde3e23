"""The card of an exported model, as the hub reads it."""

from typing import Any

import yaml

from trainer_kit.inference.bundle import describe, license_note

FACTS: dict[str, Any] = {
    "name": "Coins \u2028\x85 | 동전 🪙",
    "framework": "fake",
    "model_name": "fake/tiny",
    "task_type": "semantic_segmentation",
    "license": "Apache-2.0",
    "license_note": "",
    "metrics": {"mean_iou": 0.875, "loss": None},
    "dataset": {"name": "coins", "digest": "abc"},
    "preprocessing": {"size": [32, 64], "resize": "letterbox"},
    "class_names": ["background", "<b>coin</b>"],
    "versions": {"fake-vision": "1.0"},
}


def read(**more: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the metadata, and the lines of the text."""
    facts = FACTS | more
    _, metadata, text = describe(facts | {"license_note": license_note(facts)}).render().split("---\n", 2)
    return yaml.safe_load(metadata), text.splitlines()


def test_a_card_has_the_hubs_metadata() -> None:
    metadata, _ = read()

    [index] = metadata.pop("model-index")
    assert metadata == {
        "license": "apache-2.0", "library_name": "onnx", "pipeline_tag": "image-segmentation",
        "tags": ["image-segmentation", "fake", "fake/tiny", "vision"], "metrics": ["mean_iou"],
    }  # fmt: skip
    assert index["name"] == FACTS["name"]
    assert index["results"][0]["metrics"] == [{"type": "mean_iou", "name": "val/mean_iou", "value": 0.875}]
    assert index["results"][0]["dataset"] == {"name": "coins", "type": "unknown", "split": "val", "revision": "abc"}


def test_a_card_tells_how_to_use_the_model_and_what_it_was_trained_on() -> None:
    _, text = read()

    for line in (
        "# Coins \\| 동전 🪙", "fake/tiny of fake, trained for semantic segmentation.", "python predict.py photo.jpg",
        "Images are prepared as `model.json` says: 64 x 32 pixels, letterbox.", "background, \\<b\\>coin\\</b\\>",
        "| Data set | coins |", "| Digest | abc |", "| fake-vision | 1.0 |", "| val/mean_iou | 0.875 |",
    ):  # fmt: skip
        assert line in text
    assert any(line.startswith("The architecture's published weights are under Apache-2.0; ") for line in text)


def test_a_card_says_that_facts_are_unknown() -> None:
    metadata, text = read(license=None, dataset={"name": "", "digest": None}, metrics={}, name="")

    assert (metadata["license"], metadata["metrics"], metadata["model-index"][0]["results"]) == ("unknown", [], [])
    assert {"# fake/tiny", "| Data set | a folder |", "Nothing was measured."} <= set(text)
    assert "- It was trained on a folder: what that held is not kept." in text
