"""Dashboards and alerts ask for a service's metrics by name, type and label: they are those of `metric_names.json`.

That file is written by hand, and only gains lines: what is gone from it is gone from somebody's alert.
"""

import json
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from trainer_kit.testing.fake_adapter import ADAPTER_PATH
from trainer_kit.testing.service_process import running_service
from trainer_kit.testing.specs import make_fake_spec

SNAPSHOT = Path(__file__).with_name("metric_names.json")
FOREIGN = ("python_", "process_")
"""The Prometheus client's own."""


def metric_facts(exposition: str) -> dict[str, str]:
    """Name → type and labels."""
    facts: dict[str, str] = {}
    for family in text_string_to_metric_families(exposition):
        if not family.name.startswith(FOREIGN):
            labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
            facts[family.name] = f"{family.type}({', '.join(labels)})" if family.samples else f"{family.type}, unused"
    return facts


@pytest.fixture
def gpu_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One GPU, as its driver's command tells."""
    command = tmp_path / "bin/nvidia-smi"
    command.parent.mkdir()
    command.write_text('#!/bin/sh\nprintf "0, 50, 1024, 81559\\n"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:/usr/bin:/bin")


@pytest.mark.usefixtures("gpu_driver")
def test_metrics_of_a_service_that_trains_are_those_of_the_snapshot(tmp_path: Path, dataset_path: Path) -> None:
    data_dir = tmp_path / "data"
    with running_service(ADAPTER_PATH, data_dir, [dataset_path.parent]) as service:
        spec = service.begin_ok(make_fake_spec((data_dir / "storage").as_uri(), dataset_path.as_uri()))
        service.wait_for(spec, "metrics")
        exposition = service.client.get("/metrics").text

    assert metric_facts(exposition) == json.loads(SNAPSHOT.read_text())
