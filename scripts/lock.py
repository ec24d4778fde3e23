"""Write the hash-pinned locks of every project from its pyproject.toml (`make lock`). Standard library only.

Locks name no package index, and leave out the repository's own packages: a path has no hash to check.
"""

import subprocess
import sys

from setup import ROOT, find_projects, find_uv, say

OWN_PACKAGES = ("vision-contracts", "data-kit", "http-kit", "trainer-kit")


def main() -> int:
    uv = find_uv()
    base = [
        uv, "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-emit-index-url",
        "--custom-compile-command", "make lock", *sys.argv[1:],
    ]  # fmt: skip
    for package in OWN_PACKAGES:
        base += ["--no-emit-package", package]
    for project in find_projects(dev=True):
        say(f"lock: {project.relative_to(ROOT)}")
        subprocess.run([*base, "pyproject.toml", "-o", "requirements.lock"], cwd=project, check=True)  # noqa: S603
        if "[dependency-groups]" in (project / "pyproject.toml").read_text():
            extra = ["--group", "dev", "-c", "requirements.lock", "-o", "requirements-dev.lock"]
            subprocess.run([*base, "pyproject.toml", *extra], cwd=project, check=True)  # noqa: S603
    return 0


if __name__ == "__main__":
    sys.exit(main())
