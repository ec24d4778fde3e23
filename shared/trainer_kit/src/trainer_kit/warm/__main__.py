"""`python -m trainer_kit.warm --adapter module:attribute …`: started by the warm launcher."""

import sys

from trainer_kit.warm.parent import main

if __name__ == "__main__":
    sys.exit(main())
