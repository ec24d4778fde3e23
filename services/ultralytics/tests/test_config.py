import pytest
from pydantic import ValidationError

from trainer_kit.catalog import load_catalog
from ultralytics_service.adapter import adapter
from ultralytics_service.catalog import make_schemas
from ultralytics_service.config import HYPERPARAMETERS
from ultralytics_service.kinds import Kind

DETECT = HYPERPARAMETERS[Kind.DETECT]


def refused_fields(values: dict, kind: Kind = Kind.DETECT) -> set[tuple]:
    with pytest.raises(ValidationError) as caught:
        HYPERPARAMETERS[kind].model_validate(values)
    return {error["loc"] for error in caught.value.errors()}


@pytest.mark.parametrize("name", ["lr0", "lrf", "fliplr", "batch", "epochs", "optimizer", "imgsz", "mosiac"])
def test_a_name_that_is_no_setting_is_refused_by_name(name: str) -> None:
    assert refused_fields({name: 1}) == {(name,)}


@pytest.mark.parametrize(
    ("kind", "name"),
    [("classify", "mosaic"), ("detect", "copy_paste"), ("rtdetr", "box"), ("segment", "pose"), ("detect", "drop_rate")],
)
def test_a_setting_that_the_kind_does_not_read_is_refused(kind: str, name: str) -> None:
    assert refused_fields({name: 0.1}, Kind(kind)) == {(name,)}


@pytest.mark.parametrize(
    ("name", "value"),
    [("final_lr", 1.5), ("mosaic", -0.1), ("perspective", 1), ("freeze", -1), ("rotation", 181), ("momentum", 1.0)],
)
def test_a_value_out_of_range_is_refused(name: str, value: float) -> None:
    assert refused_fields({name: value}) == {(name,)}


@pytest.mark.parametrize("size", [0, 31, 100, 5000, "large"])
def test_an_image_size_is_auto_or_a_multiple_of_32(size: object) -> None:
    assert {location[0] for location in refused_fields({"image_size": size})} == {"image_size"}
    assert DETECT.model_validate({"image_size": 320}).model_dump()["image_size"] == 320


def test_every_setting_says_what_it_is_and_where_it_belongs() -> None:
    for kind, schema in make_schemas().items():
        assert schema["additionalProperties"] is False
        for name, field in schema["properties"].items():
            assert {"title", "description", "default"} <= set(field), f"{kind}.{name}"
            assert field["group"] in ("basic", "advanced")
            if field.get("type") in ("number", "integer"):
                assert "maximum" in field or "exclusiveMaximum" in field, f"{kind}.{name}"
                assert "minimum" in field or "exclusiveMinimum" in field, f"{kind}.{name}"
        assert list(schema["x-presets"]) == ["quick", "balanced", "best"]


def test_the_shipped_schemas_are_those_of_the_code() -> None:
    assert load_catalog(adapter.catalog_file).models.schemas == make_schemas()
