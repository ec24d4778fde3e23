"""What the fake framework can do with a trained model."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_kit import inference
from trainer_kit.inference import Arrays, Description, Preprocessing
from trainer_kit.testing.fake_train import Model, softmax
from trainer_kit.trainer import TrainingError, WorkRun
from vision_contracts import EndReason

CHANNELS = 3


class FakeNetwork:
    """Satisfies `trainer_kit.inference.Network`."""

    device = "cpu"

    def __init__(self, run: WorkRun[Any], model: Model) -> None:
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


def load_network(run: WorkRun[Any]) -> FakeNetwork:
    """Raises TrainingError for a file that no fake training has written."""
    try:
        model = Model.load(run.checkpoint)
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(EndReason.WEIGHTS_UNAVAILABLE, f"The checkpoint cannot be read: {error}.") from error
    return FakeNetwork(run, model)


predict = inference.predict(load_network)
