"""`python -m trainer_kit.trainer`: started by the runner, in the attempt's folder."""

from trainer_kit.trainer.exiting import exit_now
from trainer_kit.trainer.main import main

if __name__ == "__main__":
    exit_now(main())
