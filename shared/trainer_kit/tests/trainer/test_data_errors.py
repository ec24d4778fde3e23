"""Errors of a training that come from its images."""

import traceback

import pytest

from trainer_kit.trainer import BrokenImageError, TrainingError, batch_norm_errors, broken_images
from vision_contracts import EndReason


def test_a_broken_image_is_named_with_what_to_do() -> None:
    with pytest.raises(TrainingError) as found, broken_images("train/a.png"):
        raise OSError("image file is truncated")
    assert found.value.reason is EndReason.BAD_DATA
    assert (
        str(found.value) == "train/a.png: image file is truncated. Replace this image, or take it out of the data set."
    )


def test_a_broken_image_keeps_its_message_on_the_way_out_of_a_worker() -> None:
    with pytest.raises(BrokenImageError) as found, broken_images("a.png"):
        raise OSError("truncated")
    carried = "".join(traceback.format_exception(found.value))  # torch's loader makes the error anew
    assert str(BrokenImageError(carried)) == str(found.value)


def test_a_batch_of_one_image_is_an_error_of_the_batch_size() -> None:
    with pytest.raises(TrainingError, match=r"^batch_size: ") as found, batch_norm_errors():
        raise ValueError("Expected more than 1 value per channel when training, got input size [1, 8, 1, 1]")
    assert found.value.reason is EndReason.BAD_HYPERPARAMETERS


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(ValueError, match="another"), batch_norm_errors():
        raise ValueError("another")
