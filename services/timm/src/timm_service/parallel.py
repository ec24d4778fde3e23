"""Several devices that train one network: a process for each, whose gradients are averaged after every step."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn
from torch.distributed import all_reduce
from torch.nn.parallel import DistributedDataParallel

from trainer_kit.trainer.world import World


def parallelize(model: nn.Module, world: World) -> nn.Module:
    """Return the module that training steps call in place of the model, whose weights become the first process's."""
    if world.size == 1:
        return model
    # Some architectures have weights that not every step uses.
    return DistributedDataParallel(model, find_unused_parameters=True)


def keep_gradients(model: nn.Module, *, to_itself: bool) -> AbstractContextManager[None]:
    """Add up the gradients of this batch without the other processes (`to_itself`), until a later batch."""
    return model.no_sync() if to_itself and isinstance(model, DistributedDataParallel) else nullcontext()


def mean_of(values: torch.Tensor, world: World) -> torch.Tensor:
    """Return the mean over all processes, each of which must call this."""
    if world.size == 1:
        return values
    values = values.clone()
    all_reduce(values)
    return values / world.size
