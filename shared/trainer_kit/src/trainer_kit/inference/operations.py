"""The entry points of a framework's operations, made of its network."""

from collections.abc import Callable
from typing import Any

from trainer_kit.inference.evaluating import evaluate
from trainer_kit.inference.exporting import export
from trainer_kit.inference.network import LoadNetwork
from trainer_kit.inference.predicting import predict
from trainer_kit.trainer import OperationRun

Operation = Callable[[OperationRun[Any]], None]


def operations(load_network: LoadNetwork) -> tuple[Operation, Operation, Operation]:
    """Return `predict`, `export` and `evaluate`; `trainer_kit.adapter.operations_of` tells the kit where they are."""
    return predict(load_network), export(load_network), evaluate(load_network)
