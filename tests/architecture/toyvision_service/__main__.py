"""What the console script of a real service does; the catalogue is made on the spot."""

import sys

from toyvision_service.adapter import build_catalog
from trainer_kit.server import serve

build_catalog()
sys.exit(serve("toyvision_service.adapter:adapter"))
