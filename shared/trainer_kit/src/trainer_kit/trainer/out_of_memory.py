"""Advice for a training that does not fit into memory: as a message, and as the `changes` of a retry."""

from vision_contracts import EndReason, Failed


def smaller_batch(batch_size: int) -> int | None:
    """Return half of the batch size, rounded down to a power of two; None for a batch size of 1."""
    return 1 << (batch_size // 2).bit_length() - 1 if batch_size > 1 else None


def out_of_memory(what: str, batch_size: int | None, *, otherwise: str) -> Failed:
    """Return the failure of an attempt that trained with `batch_size` (None: unknown). `what` begins its message, and
    `otherwise` is an alternative to a smaller batch.
    """
    smaller = smaller_batch(batch_size) if batch_size is not None else None
    if smaller is not None:
        message = f"{what} with a batch size of {batch_size}. Retry with a batch size of {smaller}, or {otherwise}."
    else:
        at_least = " even with a batch size of 1" if batch_size == 1 else ""
        message = f"{what}{at_least}. Use a smaller image size or choose a smaller model, or {otherwise}."
    proposal = {"batch_size": smaller} if smaller is not None else None
    return Failed(reason=EndReason.OUT_OF_MEMORY, message=message, proposed_changes=proposal)
