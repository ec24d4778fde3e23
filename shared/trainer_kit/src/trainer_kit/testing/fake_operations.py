"""Operations of the fake framework."""

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_kit import inference
from trainer_kit.inference import Arrays, Compute, Description, Preprocessing
from trainer_kit.testing.fake_train import Model, softmax
from trainer_kit.trainer import OperationRun, TrainingError
from vision_contracts import EndReason

CHANNELS = 3


class FakeNetwork:
    """The fake model as a `trainer_kit.inference.Network`."""

    device = "cpu"

    def __init__(self, run: OperationRun[Any], model: Model) -> None:
        side = math.isqrt(len(model.weights) // CHANNELS)
        self.model = model
        self.description = Description(
            framework=run.spec.framework,
            model_name=run.spec.model_name,
            task_type=run.spec.task_type,
            class_names=list(model.class_names),
            preprocessing=Preprocessing(
                size=(side, side), resize="squash", interpolation="bicubic", mean=(0.5, 0.5, 0.5)
            ),
            versions={"numpy": np.__version__},
        )

    def run(self, pixels: NDArray[np.float32]) -> Arrays:
        flat = pixels.transpose(0, 2, 3, 1).reshape(len(pixels), -1)
        features = np.concatenate([flat, np.ones((len(flat), 1))], axis=1)
        return {"probabilities": softmax(features @ self.model.weights).astype(np.float32)}

    def write_onnx(self, path: Path) -> None:
        """Write the product and the softmax as a graph of five nodes."""
        helper: Any = importlib.import_module("onnx.helper")
        numpy_helper: Any = importlib.import_module("onnx.numpy_helper")
        height, width = self.description.preprocessing.size
        weights = self.model.weights.astype(np.float32)
        constants = {"weights": weights[:-1], "bias": weights[-1], "shape": np.array([0, -1], dtype=np.int64)}
        nodes = [
            helper.make_node("Transpose", ["image"], ["last"], perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", ["last", "shape"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["product"]),
            helper.make_node("Add", ["product", "bias"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
        ]
        float32 = 1
        graph = helper.make_graph(
            nodes,
            "linear",
            [helper.make_tensor_value_info("image", float32, ["batch", CHANNELS, height, width])],
            [helper.make_tensor_value_info("probabilities", float32, ["batch", weights.shape[1]])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        path.write_bytes(model.SerializeToString())

    def write_torchscript(self, path: Path) -> Compute:  # noqa: ARG002
        raise TrainingError(EndReason.EXPORT_NOT_SUPPORTED, "The fake framework has no TorchScript. Choose onnx.")

    def tensors(self) -> dict[str, NDArray[Any]]:
        return {"weights": self.model.weights}


def load_network(run: OperationRun[Any]) -> FakeNetwork:
    """Load a checkpoint. Raises TrainingError for a file that no fake training has written."""
    try:
        model = Model.load(run.checkpoint)
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(EndReason.WEIGHTS_UNAVAILABLE, f"The checkpoint cannot be read: {error}.") from error
    return FakeNetwork(run, model)


predict = inference.predict(load_network)
export = inference.export(load_network)
evaluate = inference.evaluate(load_network)
