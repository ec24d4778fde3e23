"""Several devices that train one network: a process for each, whose gradients are put together in every step.

The library has a way of its own, by a rank that it fixes while it is imported. Here it never learns of one: to it each
process is a training on one device, which waits for no other. All that they do together is in this module.
"""

from collections.abc import Mapping
from typing import Any

from trainer_kit.trainer.world import World
from ultralytics_service.kinds import Kind
from ultralytics_service.library import torch

_LOSS_IS_A_MEAN = (Kind.CLASSIFY, Kind.RTDETR)
"""The loss of the other kinds is a mean times the images of the batch."""


class _Averaging(torch.nn.parallel.DistributedDataParallel):
    """Steps by the mean of the processes' losses."""

    def __init__(self, model: torch.nn.Module) -> None:
        # The library's own choice: some heads have weights that not every step uses, and batch norms stay apart.
        super().__init__(model, find_unused_parameters=True, forward_sync_buffers=False)


class _Adding(_Averaging):
    """Steps by the sum of the processes' losses, which is the loss of one batch of all their images."""

    def forward(self, *inputs: Any, **named: Any) -> Any:
        loss, parts = super().forward(*inputs, **named)
        return loss * torch.distributed.get_world_size(), parts


def parallelize(model: torch.nn.Module, kind: Kind, world: World) -> torch.nn.Module:
    """Return the module that training calls in place of the model, whose weights become the first process's."""
    if world.size == 1:
        return model
    return _Averaging(model) if kind in _LOSS_IS_A_MEAN else _Adding(model)


def mean_of(values: Mapping[str, torch.Tensor], world: World) -> dict[str, float]:
    """Return the means over all processes, each of which must call this."""
    together = torch.stack([value.detach().float() for value in values.values()])
    if world.size > 1:
        torch.distributed.all_reduce(together)
    return dict(zip(values, (together / world.size).tolist(), strict=True))


def gather(value: Any, world: World) -> list[Any]:
    """Return the value of every process, each of which must call this."""
    if world.size == 1:
        return [value]
    values = [None] * world.size
    torch.distributed.all_gather_object(values, value)
    return values
