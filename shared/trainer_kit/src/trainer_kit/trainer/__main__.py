"""`python -m trainer_kit.trainer`, which the runner starts in the attempt's folder."""

from trainer_kit.trainer.exiting import exit_now
from trainer_kit.trainer.main import main

if __name__ == "__main__":
    exit_now(main())
