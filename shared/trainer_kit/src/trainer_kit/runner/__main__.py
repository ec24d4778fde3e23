"""`python -m trainer_kit.runner FOLDER --adapter module:attribute`: started by a launcher."""

from trainer_kit.runner.main import main
from trainer_kit.trainer.exiting import exit_now

if __name__ == "__main__":
    exit_now(main())
