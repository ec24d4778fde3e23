"""Files for Railway and Docker: they name what exists, in the form that the platforms accept."""

import fnmatch
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from platform_under_test import ROOT

SERVICES = sorted(path.relative_to(ROOT) for path in ROOT.glob("services/*/railway.toml"))
FILES = [Path("railway.toml"), *SERVICES]
BUILDERS = {"RAILPACK", "DOCKERFILE"}
RESTARTS = {"ON_FAILURE", "ALWAYS", "NEVER"}
SCHEMA: dict[str, dict[str, Any]] = {
    "build": {
        "builder": BUILDERS, "watchPatterns": list, "buildCommand": str, "dockerfilePath": str,
        "railpackVersion": str, "railpackConfigPath": str,
    },
    "deploy": {
        "startCommand": str, "preDeployCommand": list, "multiRegionConfig": dict, "numReplicas": int,
        "healthcheckPath": str, "healthcheckTimeout": int, "restartPolicyType": RESTARTS,
        "restartPolicyMaxRetries": int, "cronSchedule": str, "overlapSeconds": int, "drainingSeconds": int,
        "sleepApplication": bool,
    },
}  # fmt: skip
"""https://docs.railway.com/config-as-code/reference. A number in quotes is refused by Railway's parser."""
LONGEST_STOP_SECONDS = 10 + 5 + 30
"""Seconds for a trainer's grace, SIGTERM and its last uploads: `trainer_kit.server.process`."""


@pytest.fixture(params=FILES, ids=str)
def config(request: pytest.FixtureRequest) -> dict[str, Any]:
    return tomllib.loads((ROOT / request.param).read_text())


def _tracked() -> list[str]:
    return subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()


def _dockerfile(config: dict[str, Any]) -> str:
    return (ROOT / config["build"]["dockerfilePath"]).read_text()


def test_railway_knows_every_setting_and_its_type(config: dict[str, Any]) -> None:
    assert config.keys() <= SCHEMA.keys()
    for section, settings in config.items():
        for name, value in settings.items():
            kind = SCHEMA[section][name]
            assert value in kind if isinstance(kind, set) else type(value) is kind, f"{section}.{name}"


def test_every_service_has_a_file_that_builds_itself() -> None:
    for path in ROOT.glob("services/*/pyproject.toml"):
        config = tomllib.loads(path.with_name("railway.toml").read_text())
        assert config["build"]["dockerfilePath"] == f"services/{path.parent.name}/Dockerfile"


def test_a_change_of_what_is_copied_into_the_image_builds_it_anew(config: dict[str, Any]) -> None:
    patterns, tracked = config["build"]["watchPatterns"], _tracked()
    for pattern in patterns:
        assert fnmatch.filter(tracked, pattern), f"{pattern} matches nothing"
    for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", _dockerfile(config), re.MULTILINE):
        for source in copied.split():
            assert (ROOT / source).exists(), source
            inside = [path for path in tracked if path == source or path.startswith(f"{source}/")]
            assert all(any(fnmatch.fnmatch(path, pattern) for pattern in patterns) for path in inside), source


def test_an_image_copies_every_package_of_ours_that_its_setup_installs(config: dict[str, Any]) -> None:
    project = ROOT / Path(config["build"]["dockerfilePath"]).parent
    copied = [ROOT / source for source in re.findall(r"^COPY (?!--from)(\S+) \S+$", _dockerfile(config), re.MULTILINE)]
    sources = tomllib.loads((project / "pyproject.toml").read_text())["tool"]["uv"]["sources"]
    for name, source in sources.items():
        package = (project / source["path"]).resolve()
        assert any(package == folder or folder in package.parents for folder in copied), name


def test_commands_and_paths_exist(config: dict[str, Any]) -> None:
    dockerfile, deploy = _dockerfile(config), config["deploy"]
    modules = [command.removeprefix("python -m ") for command in deploy.get("preDeployCommand", [])]
    modules += re.findall(r'^CMD \["python", "-m", "([\w.]+)"\]', dockerfile, re.MULTILINE)
    for module in modules:
        place = ROOT / "backend/src" / module.replace(".", "/")
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), module
    if '"training-service"' in dockerfile:
        project = tomllib.loads((ROOT / config["build"]["dockerfilePath"]).with_name("pyproject.toml").read_text())
        assert "training-service" in project["project"]["scripts"]
    assert deploy["healthcheckPath"] in dockerfile, "asked by the engine and by Railway alike"


def test_a_trainer_has_time_for_its_checkpoint(config: dict[str, Any]) -> None:
    assert config["deploy"]["drainingSeconds"] >= LONGEST_STOP_SECONDS


def test_images_listen_on_both_protocols_as_an_unprivileged_user(config: dict[str, Any]) -> None:
    dockerfile = _dockerfile(config)
    assert "HOST=::" in dockerfile
    assert "USER platform" in dockerfile
    assert "BUILDKIT" not in dockerfile
    assert "--mount" not in dockerfile, "the classic builder has none"


def test_every_image_has_the_fonts_that_the_page_for_developers_names(config: dict[str, Any]) -> None:
    named = re.search(r"`apt-get install (fonts-[^`]+)`", (ROOT / "docs/development/DEVELOPMENT.md").read_text())
    installed = re.search(r"--no-install-recommends (fonts-[^\\]+?) *\\", _dockerfile(config).rpartition("\nFROM ")[2])

    assert named
    assert installed
    assert installed.group(1) == named.group(1)


@pytest.mark.parametrize("page", ["RAILWAY.md", "RAILWAY.ko.md"])
def test_the_page_names_files_and_variables_that_exist(page: str) -> None:
    text = (ROOT / "docs/production" / page).read_text()
    for path in re.findall(r"`/((?:services/\w+/)?railway\.toml)`", text):
        assert (ROOT / path).exists(), path
    known = (ROOT / "docs/configuration.md").read_text()
    for variable in set(re.findall(r"^ *([A-Z][A-Z0-9_]+)=", text, re.MULTILINE)):
        assert variable in known or variable in ("API", "RAILWAY_SHM_SIZE_BYTES"), variable
