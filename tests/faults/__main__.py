"""`make chaos`: prints the seed, the kills by kind and the recovery times. `python -m faults SEED` plays one again."""

import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from faults.chaos import Script, play


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    seed = int(arguments[0]) if arguments else secrets.randbelow(10**6)
    folder = Path(tempfile.mkdtemp(prefix="vision-chaos-stage-"))
    say(f"seed {seed}; logs and data are in {folder}, and stay there if something is wrong")
    report = play(folder, Script.long(seed), say)
    say("\n" + "\n".join(report.lines()))
    if report.complaints:
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
