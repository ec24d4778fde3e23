"""The adapter, but for batch norms that learn nothing of their batch: then its loss is a mean over its images."""

from torch import nn

from ultralytics_service.adapter import UltralyticsAdapter
from ultralytics_service.train import train as train_as_usual


class StillNorms(UltralyticsAdapter):
    trainer = "still_norms:train"


adapter = StillNorms()


def train(run: object) -> None:
    for norm in (nn.BatchNorm1d, nn.BatchNorm2d):
        norm.train = lambda self, mode=True: nn.Module.train(self, mode=False)
    train_as_usual(run)
