"""Metrics of the dashboard and the alerts in deploy/, against those of running processes."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from conftest import Platform
from platform_under_test import ROOT, SERVICE_TOKEN, DeployedPlatform

DEPLOY = ROOT / "deploy"
ALERTS = DEPLOY / "prometheus/alerts.yml"
PROMETHEUS_METRICS = {"up"}
SERVICE_PREFIXES = ("service_", "trainer_", "gpu_")
WORD = re.compile(r"[a-z][a-z_]{5,}")
PROMQL_WORDS = {"histogram_quantile", "increase", "instance", "framework", "reason", "status"}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool (of Prometheus) is not installed"
)


def _panels() -> list[dict[str, Any]]:
    return json.loads((DEPLOY / "grafana/dashboard.json").read_text())["panels"]


def _expressions() -> list[str]:
    rules = [rule["expr"] for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    return rules + [target["expr"] for panel in _panels() for target in panel.get("targets", [])]


def _metrics_in(expression: str) -> set[str]:
    """Return the names of metrics in an expression, without labels and words of the language."""
    bare = re.sub(r"\{[^}]*\}|\"[^\"]*\"|\b(by|on)\s*\([^)]*\)", " ", expression)
    return {re.sub(r"_bucket$", "", word) for word in WORD.findall(bare)} - PROMQL_WORDS - PROMETHEUS_METRICS


def _families(url: str, token: str | None = None) -> set[str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    text = httpx.get(f"{url}/metrics", headers=headers).raise_for_status().text
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))


def test_every_metric_of_dashboard_and_alerts_is_exported(platform: Platform) -> None:
    measured = _families(platform.url)
    if isinstance(platform, DeployedPlatform):
        for service in platform.services.values():
            measured |= _families(f"http://127.0.0.1:{service.environment['PORT']}", SERVICE_TOKEN)
    watched = set().union(*map(_metrics_in, _expressions()))
    missing = watched - measured
    if not isinstance(platform, DeployedPlatform):  # the tokens of its services are known to it alone
        missing = {name for name in missing if not name.startswith(SERVICE_PREFIXES)}
    assert len(watched) > 20
    assert missing == set()


def test_panels_do_not_overlap_and_have_descriptions() -> None:
    panels = _panels()
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["description"] for panel in panels if panel["type"] != "row")


@needs_promtool
def test_alerts_fire_when_they_should() -> None:
    for command in ("check", "test"):
        file = "alerts.yml" if command == "check" else "alerts.test.yml"
        _promtool(command, "rules", file, cwd=ALERTS.parent)


@needs_promtool
def test_every_expression_of_the_dashboard_is_promql(tmp_path: Path) -> None:
    rules = [{"record": f"panel_{number}", "expr": expr} for number, expr in enumerate(_expressions())]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    _promtool("check", "rules", "panels.yml", cwd=tmp_path)


@needs_promtool
def test_the_example_configuration_is_valid(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("x")
    text = (DEPLOY / "prometheus/prometheus.yml").read_text().replace("/run/secrets/metrics_token", str(token))
    (tmp_path / "prometheus.yml").write_text(text)
    shutil.copy(ALERTS, tmp_path)
    _promtool("check", "config", "prometheus.yml", cwd=tmp_path)


def _promtool(*arguments: str, cwd: Path) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
