"""Metrics of a service with a training."""

from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from trainer_kit.server.metrics import gpu_metrics
from trainer_kit.testing.fake_adapter import ADAPTER_PATH
from trainer_kit.testing.service_process import running_service
from trainer_kit.testing.specs import assert_problem, make_fake_spec

METRICS_TOKEN = "a token that opens nothing else"


def test_slots_requests_and_what_the_trainer_takes(tmp_path: Path, dataset_path: Path) -> None:
    data_dir = tmp_path / "data"
    with running_service(ADAPTER_PATH, data_dir, [dataset_path.parent], METRICS_TOKEN=METRICS_TOKEN) as service:
        spec = service.begin_ok(make_fake_spec((data_dir / "storage").as_uri(), dataset_path.as_uri()))
        service.wait_for(spec, "metrics")
        assert_problem(service.client.get("/metrics"), 401, "token_invalid")
        answer = service.client.get("/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
        resident = psutil.Process(service.trainer_pid(spec)).memory_info().rss
    families = text_string_to_metric_families(answer.text)
    found = {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}
    trainer = ("1", str(spec.job_uid))  # labels come in alphabetic order
    assert resident / 2 < found["trainer_memory_bytes", *trainer] < resident * 2
    assert found["trainer_cpu_seconds_total", *trainer] > 0
    assert found["service_slots",] == 1
    assert found["service_free_slots",] == 0
    assert found["service_attempts", "running"] == 1
    assert found["http_requests_total", "start", "202"] == 1
    assert found["http_requests_total", "-", "401"] == 1  # refused before a route is looked for
    assert found["service_disk_free_bytes",] > 0


def test_metrics_of_gpus_are_those_of_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "nvidia-smi"
    command.write_text('#!/bin/sh\nprintf "0, 50, 1024, 81559\\n1, [N/A], [N/A], 81559\\n"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = {(metric.name, *one.labels.values()): one.value for metric in gpu_metrics() for one in metric.samples}
    assert found == {
        ("gpu_utilization_ratio", "0"): 0.5,
        ("gpu_memory_used_bytes", "0"): 2**30,
        ("gpu_memory_bytes", "0"): 81559 * 2**20,
    }
