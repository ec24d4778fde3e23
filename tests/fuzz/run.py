"""A run of schemathesis against a running platform."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from platform_under_test import ROOT

from fuzz.world import World

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "unsupported_method",
)  # fmt: skip
ENDLESS = r"/events$|/stream$|/logs$"
"""Paths of streams: a fuzzer would wait for their end."""
ENDING = r"/auth/(logout|me|login|register|refresh)$"
"""Paths that end a sign-in or that are limited: their own tests have them."""


@dataclass(frozen=True)
class Outcome:
    """Number of requests, exit code and output of a run."""

    cases: int
    exit_code: int
    output: str


def fuzz(url: str, world: World, role: str, *, seconds: int, seed: int, report_folder: Path) -> Outcome:
    """Make up requests as `role` for `seconds`, the same for the same seed."""
    command = [
        str(ROOT / "tests/.venv/bin/schemathesis"), "run", f"{url}/openapi.json",
        "--checks", ",".join(CHECKS), "--seed", str(seed), "--max-time", str(seconds), "--request-timeout", "20",
        "--phases", "examples,coverage,fuzzing,stateful", "--mode", "all", "--max-examples", "1000", "--workers", "2",
        "--suppress-health-check", "all", "--warnings", "off", "--no-color", "--continue-on-failure",
        "--generation-allow-x00", "true", "--exclude-path-regex", f"{ENDLESS}|{ENDING}",
        "--report", "json", "--report-dir", str(report_folder),
    ]  # fmt: skip
    if world.tokens[role]:
        command += ["--header", f"Authorization: Bearer {world.tokens[role]}"]
    environment = os.environ | {
        "SCHEMATHESIS_HOOKS": "fuzz.hooks", "PYTHONPATH": str(ROOT / "tests"), "FUZZ_IDS": json.dumps(world.ids),
    }  # fmt: skip
    done = subprocess.run(
        command, cwd=report_folder, env=environment, capture_output=True, text=True, check=False, timeout=seconds + 300
    )
    return Outcome(count_cases(done.stdout), done.returncode, done.stdout + done.stderr)


def count_cases(output: str) -> int:
    """Return the number of test cases that a run's summary tells."""
    found = re.search(r"([\d,]+) (?:test cases )?generated", output)
    return int(found[1].replace(",", "")) if found else 0


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
