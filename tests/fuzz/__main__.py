"""Fuzz the API as each role, on SQLite and on PostgreSQL (`make test-fuzz`).

    python -m fuzz [--seconds 300] [--seed N]

Seconds are shared by the roles and both databases. The seed is printed: given again, the same requests are made.
"""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from platform_under_test import ROOT
from toy_platform import with_a_folder, with_a_url

from fuzz.run import fuzz, say
from fuzz.world import make_world

ROLES = ("owner", "editor", "viewer", "stranger", "admin", "nobody")
DATABASES = {"SQLite": with_a_folder, "PostgreSQL": with_a_url}


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    wanted = parser.parse_args()
    say(f"seed {wanted.seed}")
    cases = failed = 0
    for database, start in DATABASES.items():
        with tempfile.TemporaryDirectory(prefix="vision-fuzz-") as name:
            folder = Path(name)
            platform = start(folder)
            shutil.copytree(ROOT / "samples/digits", platform.datasets / "digits")
            platform.start()
            try:
                for role in ROLES:
                    world = make_world(platform)  # anew: a role that may delete things has done so
                    seconds = max(5, wanted.seconds // len(ROLES) // len(DATABASES))
                    outcome = fuzz(platform.url, world, role, seconds=seconds, seed=wanted.seed, report_folder=folder)
                    say(f"{database:10} {role:8} {outcome.cases:6} cases, {'failures' if outcome.exit_code else 'ok'}")
                    cases += outcome.cases
                    if outcome.exit_code:
                        failed += 1
                        say(outcome.output)
            finally:
                platform.stop()
    say(f"{cases} cases, {failed} of {len(ROLES) * len(DATABASES)} runs with failures, seed {wanted.seed}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
