"""Set up the virtual environment of every project from its hash-pinned lock. Standard library only.

    python3 scripts/setup.py [--dev] [PROJECT ...]

An environment whose stamp matches its lock is left alone, so that a second call takes a fraction of a second.
`TORCH_BACKEND=cpu` (or cu128 …) takes torch from PyTorch's own index: half the download on a machine without a GPU.
"""

import argparse
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
UV_VERSION = "0.13.9"
TORCH_PACKAGES = re.compile(r"^(torch|torchvision|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==")


class SetupError(Exception):
    """A problem that the user can fix; its message is one line that says how."""


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def find_projects(*, dev: bool) -> list[Path]:
    """Return the projects that are needed: the backend and the services; with `dev` every project."""
    services = sorted(path.parent for path in ROOT.glob("services/*/pyproject.toml"))
    if not dev:
        return [ROOT / "backend", *services]
    shared = [ROOT / "shared" / name for name in ("contracts", "data_kit", "http_kit", "trainer_kit")]
    return [*shared, ROOT / "backend", *services, ROOT / "tests"]


def find_uv() -> str:
    """Return the path of uv: the one on the PATH, else one in `.tools`, which is installed if it is missing."""
    if found := shutil.which("uv"):
        return found
    own = TOOLS / "bin" / "uv"
    if not own.exists():
        for module in ("venv", "ensurepip"):
            if importlib.util.find_spec(module) is None:
                raise SetupError(
                    f"Python's {module} module is missing. On Debian and Ubuntu: `sudo apt install python3-venv`; "
                    "or install uv yourself. Then run the same command again."
                )
        say("setup: installing uv (once) …")
        run([sys.executable, "-m", "venv", "--clear", str(TOOLS)], TOOLS.name)
        run([str(TOOLS / "bin" / "python"), "-m", "pip", "install", "--quiet", f"uv=={UV_VERSION}"], "uv")
    return str(own)


def run(command: list[str], what: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        output = (done.stderr or done.stdout).strip()
        if "No space left on device" in output or "os error 28" in output:
            raise SetupError(
                f"The disk is full: {what} could not be installed. Free some space (the three services need "
                "about 8 GB) and run the same command again."
            )
        raise SetupError(f"{what} could not be installed:\n{output[-2000:]}")


def lock_of(project: Path, *, dev: bool) -> Path:
    dev_lock = project / "requirements-dev.lock"
    return dev_lock if dev and dev_lock.exists() else project / "requirements.lock"


def fingerprint(project: Path, *, dev: bool) -> str:
    """Return a digest of everything that decides what an environment contains."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {os.environ.get('TORCH_BACKEND', '')}".encode())
    digest.update(str(project).encode())
    for file in (lock_of(project, dev=dev), project / "pyproject.toml"):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def is_current(project: Path, *, dev: bool) -> bool:
    stamp = project / ".venv" / "setup.stamp"
    if not stamp.exists():
        return False
    # An environment for the tests has everything that running needs.
    return stamp.read_text() in {fingerprint(project, dev=dev), fingerprint(project, dev=True)}


def path_dependencies(project: Path) -> list[Path]:
    """Return the packages of this repository that a project needs, with itself if it is a package."""
    config = tomllib.loads((project / "pyproject.toml").read_text())
    sources = config.get("tool", {}).get("uv", {}).get("sources", {})
    own = [(project / source["path"]).resolve() for source in sources.values() if "path" in source]
    return [*own, project] if "build-system" in config else own


def split_torch(lock: Path) -> tuple[str, list[str]]:
    """Split a lock into its text without torch's packages, and the pins of torch: another index has other hashes."""
    entries = re.split(r"\n(?=[a-z0-9])", lock.read_text())
    torch = [entry for entry in entries if TORCH_PACKAGES.match(entry)]
    pins = [entry.split(" ", 1)[0].rstrip("\\").strip() for entry in torch if re.match(r"^torch(vision)?==", entry)]
    return "\n".join(entry for entry in entries if entry not in torch), pins


def install_locked(uv: str, project: Path, *, dev: bool) -> None:
    """Install third-party packages exactly as locked."""
    name = str(project.relative_to(ROOT))
    python = project / ".venv" / "bin" / "python"
    if not python.exists():
        run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(project / ".venv")], name)
    target = ["--quiet", "--python", str(python)]
    lock, torch_pins = lock_of(project, dev=dev), []
    backend = os.environ.get("TORCH_BACKEND")
    if backend:
        rest, torch_pins = split_torch(lock)
        if torch_pins:
            lock = project / ".venv" / "without-torch.lock"
            lock.write_text(rest)
    run([uv, "pip", "sync", *target, "--compile-bytecode", "--require-hashes", str(lock)], name)
    if backend and torch_pins:
        run([uv, "pip", "install", *target, "--compile-bytecode", "--torch-backend", backend, *torch_pins], name)


def install_own(uv: str, project: Path, *, dev: bool) -> None:
    """Install the repository's own packages as editable, and write the stamp: the environment is complete."""
    python = project / ".venv" / "bin" / "python"
    for package in path_dependencies(project):
        command = [uv, "pip", "install", "--quiet", "--python", str(python), "--no-deps", "--editable", str(package)]
        run(command, str(project.relative_to(ROOT)))
    (project / ".venv" / "setup.stamp").write_text(fingerprint(project, dev=dev))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", action="store_true", help="with what the tests need")
    parser.add_argument("--locked-only", action="store_true", help="without our own packages (a layer of an image)")
    parser.add_argument("projects", nargs="*", type=Path, help="folders; default: all that are needed")
    options = parser.parse_args()
    projects = [path.resolve() for path in options.projects] or find_projects(dev=options.dev)
    missing = [project for project in projects if not is_current(project, dev=options.dev)]
    try:
        uv = find_uv() if missing else ""
        for number, project in enumerate(missing, start=1):
            packages = lock_of(project, dev=options.dev).read_text().count("==")
            label = f"setup [{number}/{len(missing)}] {project.relative_to(ROOT)}"
            say(f"{label}: {packages} packages …")
            started = time.monotonic()
            install_locked(uv, project, dev=options.dev)
            if not options.locked_only:
                install_own(uv, project, dev=options.dev)
            say(f"{label}: ready ({time.monotonic() - started:.0f} s)")
    except SetupError as error:
        say(f"setup: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
