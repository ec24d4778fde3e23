"""The platform with one light service, of a framework that it does not know: it needs no torch."""

from pathlib import Path

from platform_under_test import ROOT, DeployedPlatform, LocalPlatform, Process

NEWCOMER = "toyvision"
PYTHON = ROOT / "shared/trainer_kit/.venv/bin/python"
PACKAGE_PATH = str(ROOT / "tests/architecture")

Platform = LocalPlatform | DeployedPlatform


def with_a_folder(folder: Path) -> LocalPlatform:
    """Make a local platform with one more service folder, whose environment has the console script."""
    platform = LocalPlatform(folder)
    script = folder / f"services/{NEWCOMER}/.venv/bin/training-service"
    script.parent.mkdir(parents=True)
    script.write_text(f'#!/bin/sh\nPYTHONPATH="{PACKAGE_PATH}" exec "{PYTHON}" -m {NEWCOMER}_service\n')
    script.chmod(0o755)
    (folder / f"services/{NEWCOMER}/pyproject.toml").write_text(f'[project]\nname = "{NEWCOMER}-service"\n')
    platform.backend.environment = {**platform.backend.environment, "SERVICES_DIR": str(folder / "services")}
    return platform


def with_a_url(folder: Path) -> DeployedPlatform:
    """Make a deployed platform with one more service, reached by `TOYVISION_SERVICE_URL`."""
    platform = DeployedPlatform(folder, frameworks=(NEWCOMER,))
    service = platform.services[NEWCOMER]
    platform.services[NEWCOMER] = Process(
        NEWCOMER,
        (str(PYTHON), "-m", f"{NEWCOMER}_service"),
        {**service.environment, "PYTHONPATH": PACKAGE_PATH},
        service.log,
        service.hidden,
    )
    return platform
