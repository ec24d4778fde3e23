"""Entry point of the toy service, as the console script of a real one; it builds its catalogue at each start."""

import sys

from toyvision_service.adapter import build_catalog
from trainer_kit.server import serve

build_catalog()
sys.exit(serve("toyvision_service.adapter:adapter"))
