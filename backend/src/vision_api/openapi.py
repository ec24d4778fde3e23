"""Command that prints the OpenAPI description: `python -m vision_api.openapi > docs/openapi.json`."""

import json
import sys

from vision_api.config import Settings
from vision_api.main import create_app


def main() -> None:
    """Write the description to standard output, the same on every machine."""
    app = create_app(Settings(environment="development", service_urls={}), background=False)
    sys.stdout.write(json.dumps(app.openapi(), indent=2, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
