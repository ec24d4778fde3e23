"""`make chaos`: prints the seed, the kills by kind and the recovery times. `python -m faults SEED` repeats a run."""

import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from faults.chaos import ChaosPlan, run_chaos


def log(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    seed = int(arguments[0]) if arguments else secrets.randbelow(10**6)
    folder = Path(tempfile.mkdtemp(prefix="vision-chaos-"))
    log(f"seed {seed}; logs and data are in {folder}, and stay there if something is wrong")
    report = run_chaos(folder, ChaosPlan.long(seed), log)
    log("\n" + "\n".join(report.lines()))
    if report.violations:
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
