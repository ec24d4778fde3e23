"""Write `.env` with strong random secrets for docker-compose (`make env`); never overwrites an existing file.

The secrets are followed by the settings of `.env.example`, all of them optional.
"""

import os
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / ".env"
SECRETS = (
    "JWT_SECRET", "SERVICE_TOKEN", "METRICS_TOKEN", "POSTGRES_PASSWORD", "ADMIN_PASSWORD",
    "S3_ACCESS_KEY", "S3_SECRET_KEY",
)  # fmt: skip
OPTIONS = (ROOT / ".env.example").read_text()


def main() -> int:
    lines = [f"{name}={secrets.token_urlsafe(32)}" for name in SECRETS]
    text = "\n".join(["# Read by docker-compose. Keep it secret: it is in .gitignore.", *lines, "", OPTIONS])
    try:
        file = os.open(TARGET, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.stdout.write(".env exists and stays as it is. Remove it first if you want new secrets.\n")
        return 0
    with os.fdopen(file, "w") as stream:
        stream.write(text)
    sys.stdout.write("Wrote .env. Sign in as admin@example.com with the ADMIN_PASSWORD in it.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
