"""The import contracts with the services of this checkout filled in: `python import_contracts.py` checks them."""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = Path(__file__).with_name("importlinter.ini")
SOURCES = sorted(path for pattern in ("*/src", "*/*/src") for path in ROOT.glob(pattern))
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))

_MODULES = {"opencv_python_headless": "cv2"}
"""Import names of distributions that differ in more than their hyphens."""


def required_modules(folder: Path) -> set[str]:
    """Import names of the distributions that a project depends on."""
    requirements = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[^\w.-]", requirement)[0].replace("-", "_") for requirement in requirements}
    return {_MODULES.get(name, name) for name in names}


def framework_modules() -> list[str]:
    """Libraries that services depend on and nothing else does: torch, and whatever a framework brings."""
    own = {path.name for pattern in ("*/src/*", "*/*/src/*") for path in ROOT.glob(pattern)}
    light = {module for folder in (*ROOT.glob("shared/*"), ROOT / "backend") for module in required_modules(folder)}
    needed = {module for name in SERVICES for module in required_modules(ROOT / "services" / name)}
    return sorted(needed - light - own)


def filled_in(template: str, *, services: list[str], frameworks: list[str]) -> str:
    """The configuration for import-linter: lines with `<service>` or `<framework>` repeated for each of them."""
    lines: list[str] = []
    for line in template.splitlines():
        if line.startswith("#"):
            continue
        if "<service>" in line:
            lines += [line.replace("<service>", name) for name in services]
        elif "<framework>" in line:
            lines += [line.replace("<framework>", name) for name in frameworks]
        else:
            lines.append(line.replace("<services>", " | ".join(services)))
    return "\n".join(lines) + "\n"


def main() -> int:
    """Check the contracts; the exit status of `lint-imports`."""
    packages = [f"{name}_service" for name in SERVICES]
    configuration = filled_in(TEMPLATE.read_text(), services=packages, frameworks=framework_modules())
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
        file.write(configuration)
        file.flush()
        command = [Path(sys.executable).with_name("lint-imports"), "--config", file.name, "--no-cache"]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, SOURCES))}
        return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
