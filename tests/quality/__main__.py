"""`python -m quality FOLDER …`: trains every run both ways, and writes docs/frameworks.md.

FOLDER holds the data sets by name. Results are kept in build/quality.jsonl; an interrupted command continues there.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

from platform_under_test import ROOT

from quality.page import Side, write_page
from quality.runs import RUNS, Run

RESULTS = ROOT / "build" / "quality.jsonl"
HERE = Path(__file__).parent
LIMIT_SECONDS = 3600


class Recipe(NamedTuple):
    """A data set that a script makes of another one, in the environment of a project."""

    source: str
    script: str
    project: str


RECIPES = {
    "coins_tiny_obb": Recipe("coins_tiny_seg", "oriented_boxes.py", "services/ultralytics"),
    "digits": Recipe("digits_tiny", "more_digits.py", "shared/trainer_kit"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="quality", description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of the data sets")
    parser.add_argument("--weights", type=Path, help="a TORCH_HOME with the library's weights; see quality.weights")
    parser.add_argument("--only", default="", help="runs whose name contains this")
    parser.add_argument("--share", type=float, default=1.0, help="shorten every run to this part of its epochs")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    options = parser.parse_args()
    RESULTS.parent.mkdir(exist_ok=True)
    if options.fresh:
        RESULTS.unlink(missing_ok=True)
    done = read_results()
    for whole in RUNS:
        run = replace(whole, epochs=max(2, round(whole.epochs * options.share)))
        data = find_data(options.data.resolve(), run.dataset)
        if options.only not in run.name or data is None or (run.pretrained and not options.weights):
            continue
        for script in ("ours", f"bare_scripts/{run.framework}_script"):
            side = "ours" if script == "ours" else "bare"
            if (key := (json.dumps(asdict(run)), side)) not in done:
                done[key] = train(run, HERE / f"{script}.py", data, options.weights)
                with RESULTS.open("a") as file:
                    file.write(json.dumps([*key, asdict(done[key])]) + "\n")
                sys.stderr.write(f"{run.name}, {side}: {done[key].value:.4f} in {done[key].seconds:.0f} s\n")
                write_page(done)
    write_page(done)
    return 0


def read_results() -> dict[tuple[str, str], Side]:
    """Read earlier results by run and side."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    return {(run, side): Side(**result) for run, side, result in map(json.loads, lines)}


def find_data(folder: Path, name: str) -> Path | None:
    """Return the folder of a data set, making it of another one if there is a recipe."""
    if (folder / name).is_dir():
        return folder / name
    recipe = RECIPES.get(name)
    if recipe is None or not (folder / recipe.source).is_dir():
        return None
    made = RESULTS.parent / "quality-data" / name
    if not made.is_dir():
        made.parent.mkdir(parents=True, exist_ok=True)
        python = ROOT / recipe.project / ".venv/bin/python"
        subprocess.run([python, HERE / recipe.script, folder / recipe.source, made], check=True)
    return made


def train(run: Run, script: Path, data: Path, weights: Path | None) -> Side:
    """Train a run by a script, in the environment of the framework's service and on one thread."""
    settings = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    if weights:
        settings["TORCH_HOME"] = str(weights.resolve())
    python = ROOT / "services" / run.framework / ".venv/bin/python"
    with tempfile.TemporaryDirectory(prefix="quality-") as folder:
        started = time.monotonic()
        done = subprocess.run(
            [python, script, json.dumps(asdict(run)), data, folder], cwd=folder, capture_output=True, text=True,
            timeout=LIMIT_SECONDS, env=os.environ | settings, check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"{run.name}: {script.name} failed.\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}")
        result = json.loads(done.stdout.strip().splitlines()[-1])
        return Side(result["value"], time.monotonic() - started, sum(result["epochs_seconds"]))


if __name__ == "__main__":
    sys.exit(main())
