"""Run the tests of every project, each in its own environment, and print one total (`make test`).

    python3 scripts/test.py [PROJECT ...]
    python3 scripts/test.py --only MARK PROJECT ...     tests of a mark that the first form leaves out: thorough, idle

Three suites run in parallel, since each waits a third of its time; the output of a suite is shown when it ends. Up to
three failures of a suite run again while nothing else runs: those that pass then are counted as unsteady, the others as
failed. A test that hangs is ended by pytest (`faulthandler_timeout` in its configuration), a suite that hangs by this
script; both print the stack of every thread.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from setup import ROOT, find_projects, say

SUITES_AT_ONCE = 3
LONGEST_FIRST = (
    "tests", "backend", "services/ultralytics", "services/huggingface", "services/timm", "shared/trainer_kit",
)  # fmt: skip
WORKERS = {"backend": 2}
"""Number of processes (pytest-xdist) of a suite that is long and waits most of its time."""
SUITE_SECONDS = 1800
MOST_UNSTEADY = 3
TESTS_FAILED = 1
"""Exit code of pytest when all tests ran and some failed."""


@dataclass
class Result:
    """Exit code, counts and output of a suite."""

    name: str
    exit_code: int
    seconds: float
    output: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    unsteady: int = 0


def run_suite(project: Path, reports: Path, selection: Sequence[str]) -> Result:
    name = str(project.relative_to(ROOT))
    report, log = (reports / f"{name.replace('/', '-')}.{kind}" for kind in ("xml", "log"))
    report.unlink(missing_ok=True)
    workers = ("-n", str(WORKERS[name])) if name in WORKERS else ()
    started = time.monotonic()
    # A file, not a pipe: a process that a test left behind would hold a pipe open, and this script with it.
    with log.open("w") as output:
        suite = subprocess.Popen(  # noqa: S603
            [str(project / ".venv/bin/python"), "-m", "pytest", "-q", "--durations=5",
             f"--junitxml={report}", *workers, *selection],
            cwd=project, stdout=output, stderr=subprocess.STDOUT, env=environment(),
        )  # fmt: skip
        exit_code = wait_for(suite)
    result = Result(name, exit_code, time.monotonic() - started, log.read_text(errors="replace"))
    if report.exists():
        count(ET.parse(report).getroot(), result)  # noqa: S314 - written by pytest a moment ago
    return result


def environment() -> dict[str, str]:
    """Return the environment of a suite. Hundreds of its processes import the same sources: they are compiled once."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"OMP_NUM_THREADS": "1"}


def retry_failures(project: Path, reports: Path, selection: Sequence[str], result: Result) -> None:
    """Run the failed tests of a suite again while no other suite runs."""
    again = run_suite(project, reports, (*selection, "--last-failed"))
    say(f"\n===== {result.name}, once more =====\n{again.output.rstrip()}")
    if again.exit_code == 0 and again.passed == result.failed:
        result.exit_code, result.failed, result.unsteady = 0, 0, again.passed


def wait_for(suite: subprocess.Popen[bytes]) -> int:
    try:
        return suite.wait(SUITE_SECONDS)
    except subprocess.TimeoutExpired:
        suite.send_signal(signal.SIGABRT)  # pytest's faulthandler writes the stack of every thread
        return suite.wait()


def count(report: ET.Element, result: Result) -> None:
    for suite in report.iter("testsuite"):
        total, failures, errors, skipped = (
            int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")
        )
        result.failed += failures + errors
        result.skipped += skipped
        result.passed += total - failures - errors - skipped


def order(project: Path) -> int:
    name = str(project.relative_to(ROOT))
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="MARK", help="tests of this mark alone")
    parser.add_argument("projects", nargs="*", type=Path, help="folders; default: all")
    options = parser.parse_args()
    selection = ("-m", options.only) if options.only else ()
    projects = [path.resolve() for path in options.projects] or find_projects(dev=True)
    reports = ROOT / "build" / "test-reports"
    reports.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    with ThreadPoolExecutor(SUITES_AT_ONCE) as pool:
        jobs = [pool.submit(run_suite, project, reports, selection) for project in sorted(projects, key=order)]
        for job in as_completed(jobs):
            result = job.result()
            results.append(result)
            say(f"\n===== {result.name} ({result.seconds:.0f} s) =====\n{result.output.rstrip()}")
    for result in results:
        if result.exit_code == TESTS_FAILED and result.failed <= MOST_UNSTEADY:
            retry_failures(ROOT / result.name, reports, selection, result)
    say("")
    for result in results:
        broken = result.exit_code and not result.failed
        say(
            f"{result.name:24} {result.passed:5} passed {result.failed:4} failed {result.skipped:4} skipped"
            f" {result.seconds:6.0f} s{f'  {result.unsteady} unsteady' if result.unsteady else ''}"
            f"{'  (did not run to its end)' if broken else ''}"
        )
    # A suite that could not even start counts as one failure: a total must never look better than it is.
    failed = sum(max(result.failed, int(result.exit_code != 0)) for result in results)
    passed = sum(result.passed + result.unsteady for result in results)
    unsteady = sum(result.unsteady for result in results)
    say(f"\n{passed} passed ({unsteady} unsteady), {failed} failed, {sum(r.skipped for r in results)} skipped")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
