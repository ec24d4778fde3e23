import errno
import os
from pathlib import Path

import pytest

from data_kit import DatasetError, Finding
from trainer_kit.trainer import TrainingError, failures
from trainer_kit.trainer.failures import describe_failure
from vision_contracts import EndReason


class OutOfMemoryError(RuntimeError):
    """An error with the name of torch's, which is not installed here."""


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


BAD_IMAGE = DatasetError([Finding(code="broken", file="a/b.png", message="It is broken.", fix="Remove it.")])
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("error", "reason", "says"),
    [
        (TrainingError(EndReason.NAN_LOSS, "Lower it."), EndReason.NAN_LOSS, "Lower it."),
        (BAD_IMAGE, EndReason.BAD_DATA, "a/b.png"),
        (caused(RuntimeError("in worker 1"), BAD_IMAGE), EndReason.BAD_DATA, "a/b.png"),
        (MemoryError(), EndReason.OUT_OF_MEMORY, "image size"),
        (OutOfMemoryError("CUDA"), EndReason.OUT_OF_MEMORY, "image size"),
        (RuntimeError("CUDA error: out of memory"), EndReason.OUT_OF_MEMORY, "image size"),
        (RuntimeError("MPS backend out of memory (allocated…)"), EndReason.OUT_OF_MEMORY, "image size"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), EndReason.OUT_OF_MEMORY, "image size"),
        (RuntimeError("workers are out of shared memory"), EndReason.OUT_OF_MEMORY, "/dev/shm"),
        (FULL, EndReason.DISK_FULL, "Free space"),
        (caused(RuntimeError("write failed"), FULL), EndReason.DISK_FULL, "Free space"),
        (KeyError("model"), EndReason.INTERNAL, "KeyError: 'model'"),
        (ValueError("out of memory cards"), EndReason.INTERNAL, "out of memory cards"),
        (SystemExit(2), EndReason.INTERNAL, "SystemExit: 2"),
    ],
)
def test_an_exception_has_a_reason_and_a_message(
    error: BaseException, reason: EndReason, says: str, tmp_path: Path
) -> None:
    failure = describe_failure(error, tmp_path)
    assert failure.reason is reason
    assert says in failure.message


@pytest.mark.parametrize(
    ("error", "batch_size", "proposed", "says"),
    [
        (MemoryError(), 64, 32, "with a batch size of 64. Retry with a batch size of 32"),
        (MemoryError(), 48, 16, "Retry with a batch size of 16"),
        (MemoryError(), 3, 1, "Retry with a batch size of 1"),
        (MemoryError(), 2, 1, "lower the image size"),
        (MemoryError(), 1, None, "even with a batch size of 1. Use a smaller image size or choose a smaller model"),
        (MemoryError(), None, None, "out of memory. Use a smaller image size"),
        (RuntimeError("out of shared memory"), 8, 4, "use no workers, or enlarge /dev/shm"),
        (caused(RuntimeError("CUBLAS_STATUS_ALLOC_FAILED"), ValueError()), 8, 4, "Retry with a batch size of 4"),
        (TrainingError(EndReason.NAN_LOSS, "Lower it."), 8, None, "Lower it."),
    ],
)
def test_running_out_of_memory_proposes_a_smaller_batch_size(
    error: BaseException, batch_size: int | None, proposed: int | None, says: str, tmp_path: Path
) -> None:
    failure = describe_failure(error, tmp_path, batch_size)
    assert failure.proposed_changes == (None if proposed is None else {"batch_size": proposed})
    assert says in failure.message


def test_changes_that_a_framework_proposes_are_kept(tmp_path: Path) -> None:
    proposal = {"batch_size": 24, "hyperparameters": {"image_size": 320}}
    error = TrainingError(EndReason.OUT_OF_MEMORY, "24 fit.", proposed_changes=proposal)
    assert describe_failure(error, tmp_path, 64).proposed_changes == proposal


def test_a_failed_write_without_a_number_is_a_full_disk_if_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")
    assert describe_failure(error, tmp_path).reason is EndReason.INTERNAL
    monkeypatch.setattr(failures, "FULL_DISK_BYTES", 2**80)
    assert describe_failure(error, tmp_path).reason is EndReason.DISK_FULL
    assert describe_failure(KeyError("x"), tmp_path).reason is EndReason.INTERNAL


def test_a_loop_of_causes_ends(tmp_path: Path) -> None:
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert describe_failure(one, tmp_path).reason is EndReason.INTERNAL
