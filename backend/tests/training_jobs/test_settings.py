"""Settings of a job: their list is that of the contract, and what a row holds is what was resolved."""

from typing import Any

from vision_api.models import TrainingJob
from vision_api.training_jobs.schemas import InitialCheckpoint, RequestedSettings, TrainingJobRead
from vision_api.training_jobs.settings import CARD_FIELDS, TRAINING_SETTINGS, JobDataset, JobSettings
from vision_contracts import DatasetFormat, TaskType, TrainingParams

SETTINGS = JobSettings(
    name="mine",
    notes="",
    framework="fake",
    model_name="tiny",
    task_type=TaskType.IMAGE_CLASSIFICATION,
    dataset=JobDataset(dataset_id=3, dataset_version=1, dataset_uri="s3://b/d", dataset_format=DatasetFormat.YOLO),
    params=TrainingParams(epochs=2, batch_size=4, learning_rate=0.1, optimizer="sgd", num_devices=2, seed=7),
    initial_weights=InitialCheckpoint(job_id=5),
    priority=1,
    timeout_seconds=None,
    hyperparameters={"momentum": 0.9},
)


def test_every_setting_of_the_contract_is_requested_stored_and_answered() -> None:
    settings = set(TrainingParams.model_fields)

    assert settings - set(RequestedSettings.model_fields) == set()
    assert settings - set(TrainingJob.__table__.columns.keys()) == set()
    assert settings - set(TrainingJobRead.model_fields) == set()


def test_bounds_of_a_request_are_those_of_the_contract() -> None:
    contract = TrainingParams.model_json_schema()["properties"]
    request = RequestedSettings.model_json_schema()["properties"]
    keys = ("type", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern")

    def bounds(field: dict[str, Any]) -> dict[str, Any]:
        return {key: field[key] for key in keys if key in field}

    requested = {name: bounds(request[name]["anyOf"][0]) for name in contract}
    assert [name for name, field in contract.items() if not bounds(field).items() <= requested[name].items()] == []


def test_settings_without_a_default_come_from_the_card() -> None:
    assert CARD_FIELDS == ("epochs", "batch_size", "learning_rate", "optimizer")


def test_comparisons_and_lineages_show_every_setting_once() -> None:
    assert sorted(TRAINING_SETTINGS) == sorted({*TrainingParams.model_fields, "initial_weights"})


def test_row_gives_the_settings_that_were_written_to_it() -> None:
    row = TrainingJob(**SETTINGS.columns())

    assert JobSettings.of(row) == SETTINGS


def test_columns_of_the_settings_are_those_of_the_row_and_plain_json() -> None:
    columns = SETTINGS.columns()

    assert columns.keys() <= set(TrainingJob.__table__.columns.keys())
    assert columns["initial_weights"] == {"job_id": 5, "artifact": "checkpoints/best"}


def test_writing_settings_changes_all_of_them() -> None:
    row = TrainingJob(**SETTINGS.columns())
    changed = SETTINGS.model_copy(update={"name": "yours", "params": SETTINGS.params.model_copy(update={"seed": 8})})

    changed.write_to(row)

    assert (row.name, row.seed, row.num_devices) == ("yours", 8, 2)
