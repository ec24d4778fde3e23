"""Errors of a training that come from its images, and not from the code that meets them."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from trainer_kit.trainer.errors import TrainingError
from vision_contracts import EndReason


class BrokenImageError(TrainingError):
    """An image that was listed but cannot be decoded. torch carries it out of a worker as the text of a traceback."""

    def __init__(self, message: str) -> None:
        super().__init__(EndReason.BAD_DATA, message.rpartition(f"{type(self).__name__}: ")[2].strip())


@contextmanager
def broken_images(shown: str | Path) -> Generator[None]:
    """Turn errors of decoding the image called `shown` into errors with a reason."""
    try:
        yield
    except (OSError, Image.DecompressionBombError) as error:
        raise BrokenImageError(f"{shown}: {error}. Replace this image, or take it out of the data set.") from error


@contextmanager
def batch_norm_errors() -> Generator[None]:
    """Turn torch's error about batches of one image into an error with a reason."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise TrainingError(
            EndReason.BAD_HYPERPARAMETERS,
            "batch_size: batch norm cannot learn from a batch of one image of this size. Set it to 2 or more.",
        ) from error
