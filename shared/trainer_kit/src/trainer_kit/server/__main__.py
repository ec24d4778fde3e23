"""`python -m trainer_kit.server module:attribute`."""

import sys

from trainer_kit.server.process import serve

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m trainer_kit.server module:attribute")
    sys.exit(serve(sys.argv[1]))
