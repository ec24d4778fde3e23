"""Translation of exceptions into reasons and messages for users, without importing the libraries that raise them."""

import errno
import shutil
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from data_kit import DatasetError
from trainer_kit.trainer.errors import TrainingError
from trainer_kit.trainer.messages import Message
from trainer_kit.trainer.out_of_memory import out_of_memory, smaller_batch
from vision_contracts import EndReason, Failed, Log, LogLevel

FULL_DISK_BYTES = 1 << 20
_OUT_OF_MEMORY_TEXTS = (
    "out of memory", "can't allocate memory", "cannot allocate memory", "out of shared memory", "_alloc_failed",
)  # fmt: skip
_MORE_MEMORY = "train where there is more memory"


def describe_failure(error: BaseException, folder: Path, batch_size: int | None = None) -> Failed:
    """Return the reason and a message that says what to do. `folder` is where the trainer writes; `batch_size` the
    number of images in a batch, None if the attempt does not train.
    """
    chain = list(_causes(error))
    for cause in chain:
        if isinstance(cause, TrainingError):
            return Failed(reason=cause.reason, message=str(cause), proposed_changes=cause.proposed_changes)
        if isinstance(cause, DatasetError):
            return Failed(reason=EndReason.BAD_DATA, message=str(cause))
    if any(_is_out_of_memory(cause) for cause in chain):
        return _out_of_memory(chain, batch_size)
    if any(_is_full_disk(cause) for cause in chain) or _has_no_space(error, folder):
        reason = EndReason.DISK_FULL
        return Failed(reason=reason, message=f"The disk of the training service is full. {reason.advice}")
    text = "".join(traceback.format_exception_only(error)).strip()
    advice = "The log has the whole traceback; if it does not show what to change, report it."
    return Failed(reason=EndReason.INTERNAL, message=f"{text[:1000]} ({advice})")


def report_failure(
    error: BaseException, folder: Path, send: Callable[[Message], None], batch_size: int | None = None
) -> None:
    """Send the failure as `describe_failure` describes it; before it, for a defect, the traceback as a log message."""
    failure = describe_failure(error, folder, batch_size)
    if failure.reason.is_unexplained:
        text = "".join(traceback.format_exception(error))
        send(Log(level=LogLevel.ERROR, message=text[-8000:]))
    send(failure)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError | OSError) and any(
        text in str(error).lower() for text in _OUT_OF_MEMORY_TEXTS
    )


def _out_of_memory(chain: Sequence[BaseException], batch_size: int | None) -> Failed:
    if any("shared memory" in str(cause).lower() for cause in chain):
        otherwise = "use no workers, or enlarge /dev/shm (`shm_size: 1gb`)"
        return out_of_memory("The data loader ran out of shared memory", batch_size, otherwise=otherwise)
    otherwise = "lower the image size, or choose a smaller model" if smaller_batch(batch_size or 1) else _MORE_MEMORY
    return out_of_memory("The training ran out of memory", batch_size, otherwise=otherwise)


def _is_full_disk(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _has_no_space(error: BaseException, folder: Path) -> bool:
    """Check the disk itself, since torch reports a failed write as a RuntimeError without an error number."""
    return isinstance(error, RuntimeError | OSError) and shutil.disk_usage(folder).free < FULL_DISK_BYTES
