"""`python -m trainer_kit.catalog_check RESULTS CATALOG …`, which prints the page of the results."""

import sys
from pathlib import Path

from trainer_kit.catalog_check.page import write_page

if __name__ == "__main__":
    results, *catalogs = map(Path, sys.argv[1:])
    sys.stdout.write(write_page(catalogs, results))
