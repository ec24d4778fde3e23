"""`python -m trainer_kit.warm --adapter module:attribute …`: started by the warm launcher."""

from trainer_kit.trainer.exiting import exit_now
from trainer_kit.warm.parent import main

if __name__ == "__main__":
    exit_now(main())  # skip the libraries' clean-up, which ends with the process anyway
