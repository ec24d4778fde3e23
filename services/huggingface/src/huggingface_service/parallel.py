"""Several processes that train one model. The Trainer averages their gradients; what a loss divides by is their own."""

from collections.abc import Iterator
from contextlib import contextmanager

from accelerate import DistributedType, PartialState
from transformers.loss import loss_lw_detr, loss_rf_detr

for _module in (loss_lw_detr, loss_rf_detr):
    _module._is_torch_distributed_initialized = lambda: False


@contextmanager
def count_locally() -> Iterator[None]:
    """Make losses divide by the objects of this process instead of those of all processes.

    They ask all processes for their count, while the first validates by itself; and they divide twice by the number of
    processes.
    """
    state = PartialState._shared_state
    kept = dict(state)
    state.update(distributed_type=DistributedType.NO, num_processes=1)
    try:
        yield
    finally:
        state.update(kept)
