"""The settings that a job may give beside its named fields. What other frameworks have too is called as there
(`build.py` has the library's names), the rest as the library calls it.

Each kind of network has the settings that its loss, its augmentation and its validation really read, no more. The
job's `learning_rate` is the library's `lr0`, its `batch_size` is `batch`; gradients are never accumulated over batches
(`nbs` is the batch size), so that one batch is one optimizer step.

Defaults differ from the library's where its own are made for hundreds of epochs on a hundred thousand images:
the warm-up is a fiftieth of the training instead of three epochs, biases warm up from zero instead of 0.1 (which AdamW
does not survive), and training ends early only if asked to.
"""

from ultralytics_service.config.common import CommonHyperparameters, ImageSize
from ultralytics_service.config.kinds import HYPERPARAMETERS

__all__ = ["HYPERPARAMETERS", "CommonHyperparameters", "ImageSize"]
