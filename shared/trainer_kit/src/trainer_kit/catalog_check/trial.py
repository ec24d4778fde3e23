"""The trial of one card: it runs the service's trainer until it has validated its first step."""

import gc
import math
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from trainer_kit.attempt_folder import AttemptFolder
from trainer_kit.catalog_check.results import Outcome, Result
from trainer_kit.catalog_check.samples import PER_SPLIT
from trainer_kit.trainer.errors import TrainingError
from trainer_kit.trainer.main import TrainerInputs, prepare
from trainer_kit.trainer.messages import Message
from vision_contracts import DatasetRef, EndReason, JobSpec, Metrics, ModelCard, TaskType, TrainingParams, metric_names

SIZES = (32, 64, 128, 224, 320, 480)
"""Image sizes that are tried if the size can be chosen, the smallest first."""

CHEAP_SETTINGS = {"workers": 0, "plots": False, "mixed_precision": False}
"""Hyper-parameters that make a step cheaper without changing whether it succeeds; for cards that have them."""


class TrialCompleted(BaseException):
    """Raised to end the trainer after its first validation. It is not an Exception, which a library might catch."""


@dataclass(frozen=True)
class Trial:
    """A card and a task to try."""

    adapter_path: str
    framework_version: str
    card: ModelCard
    schema: dict[str, Any]
    task_type: TaskType
    dataset: Path

    def result(self, outcome: Outcome, **found: Any) -> Result:
        return Result(
            framework_version=self.framework_version,
            model_name=self.card.model_name,
            task_type=self.task_type,
            params=self.card.params,
            outcome=outcome,
            **found,
        )

    def image_sizes(self) -> Iterator[int | None]:
        """Yield the image sizes to try, the smallest first and the card's own last; None alone if it is fixed."""
        setting = self.schema["properties"].get("image_size")
        if setting is None:
            yield None
            return
        number = next(each for each in setting.get("anyOf", [setting]) if each.get("type") == "integer")
        step, least, own = int(number.get("multipleOf", 1)), int(number["minimum"]), self.card.input_size
        yield from sorted({least, max(least, own), *(size for size in SIZES if least < size < own and not size % step)})

    def spec(self, image_size: int | None) -> JobSpec:
        settings = {name: value for name, value in CHEAP_SETTINGS.items() if name in self.schema["properties"]}
        return JobSpec(
            job_uid=UUID(int=1),
            attempt=1,
            framework=self.card.framework,
            model_name=self.card.model_name,
            task_type=self.task_type,
            dataset=DatasetRef(uri=self.dataset.as_uri()),
            output_uri="file:///unused",
            params=TrainingParams(
                epochs=1, batch_size=PER_SPLIT, learning_rate=self.card.recommended_lr, optimizer="sgd", device="cpu"
            ),
            hyperparameters=settings | ({} if image_size is None else {"image_size": image_size}),
        )


def train_one_step(trial: Trial, folder: Path) -> Result:
    """Train with images of increasing size until a step succeeds. Return the last error if none does."""
    result = trial.result(Outcome.FAILED, reason="There is no size of image to try.")
    for image_size in trial.image_sizes():
        result = _train(trial, folder, image_size)
        if result.outcome is Outcome.TRAINED:
            break
        gc.collect()
    return result


def _train(trial: Trial, folder: Path, image_size: int | None) -> Result:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.chdir(folder)
    attempt = AttemptFolder(folder)
    attempt.spec_file.write_text(trial.spec(image_size).model_dump_json())
    losses: list[float | None] = []

    def receive(message: Message) -> None:
        if isinstance(message, Metrics):
            losses.extend(message.values[name] for name in [metric_names.TRAIN_LOSS] if name in message.values)
            if metric_names.VAL_LOSS in message.values:
                raise TrialCompleted

    try:
        run, train = prepare(attempt, TrainerInputs(trial.adapter_path, trial.dataset), receive)
        train(run)
    except TrialCompleted:
        return _judge(trial, losses, image_size)
    except TrainingError as error:
        outcome = Outcome.FAILED if error.reason is EndReason.NAN_LOSS else Outcome.REFUSED
        return trial.result(outcome, reason=f"{error.reason}: {error}", image_size=image_size)
    except Exception as error:  # noqa: BLE001 - any error means that the card cannot be trained
        return trial.result(Outcome.FAILED, reason=_first_line(error), image_size=image_size)
    return trial.result(Outcome.FAILED, reason="It ended without a validation.", image_size=image_size)


def _judge(trial: Trial, losses: list[float | None], image_size: int | None) -> Result:
    loss = losses[-1] if losses else None
    if loss is None or not math.isfinite(loss):
        return trial.result(Outcome.FAILED, reason=f"The training loss is {loss}.", image_size=image_size)
    return trial.result(Outcome.TRAINED, train_loss=round(loss, 6), image_size=image_size)


def build_without_memory(trial: Trial, count_parameters: Callable[[ModelCard], int]) -> Result:
    """Build a card whose weights alone exceed the memory limit on the meta device, and compare its parameters."""
    try:
        found = count_parameters(trial.card)
    except Exception as error:  # noqa: BLE001 - any error means that the card cannot be built
        return trial.result(Outcome.FAILED, reason=_first_line(error))
    if found != trial.card.params:
        return trial.result(Outcome.FAILED, reason=f"It has {found} parameters, its card says {trial.card.params}.")
    return trial.result(Outcome.META_ONLY)


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0] if text else ''}"[:300]
