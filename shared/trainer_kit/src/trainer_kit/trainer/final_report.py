"""The report at the end of every training: the best checkpoint is evaluated once more, on the test split too."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from data_kit import Dataset, Split
from trainer_kit.devices import describe_device
from trainer_kit.evaluation import Evaluator
from trainer_kit.trainer.errors import Stopped
from trainer_kit.trainer.run import TrainingRun
from trainer_kit.trainer.speed import time_batch
from vision_contracts import ArtifactKind, EvaluationReport, LogLevel, ModelSpeed, SplitEvaluation

REPORT_NAME = "report.json"


@dataclass(frozen=True)
class NetworkFacts:
    """Facts that the speed of a network depends on."""

    device: str
    """`cpu`, `mps` or `cuda:N`."""
    precision: str
    """`float32`, `bfloat16` or `float16`."""
    image_size: int
    """Side of the square images, in pixels."""
    parameters: int
    """Number of weights."""


class BestModel(Protocol):
    """The network with the weights of the best checkpoint, on the device that trained it."""

    def evaluate(self, split: Split) -> Evaluator:
        """Return an evaluator with the predictions of a whole split. Raises Stopped if a stop is requested."""
        ...

    def describe(self) -> NetworkFacts:
        """Return the facts that its speed depends on."""
        ...

    def compute(self, batch_size: int) -> None:
        """Run one forward pass over `batch_size` blank images; return when the device has finished."""
        ...


def write_final_report(run: TrainingRun[Any], load: Callable[[Path], BestModel]) -> None:
    """Evaluate the best checkpoint, which `load` reads, and publish `report.json` and plots.

    A training that has succeeded does not fail because of its report: errors are logged. Raises Stopped if a stop is
    requested.
    """
    history = run.history
    if run.best_checkpoint is None or not history.best_epoch:
        run.log("There is no report: the best checkpoint, of an earlier attempt, is not available.", LogLevel.WARNING)
        return
    try:
        started_at = time.monotonic()
        model = load(run.best_checkpoint)
        evaluators = _evaluate(run, model)
        report = _make_report(run, model, {split.value: found.evaluate() for split, found in evaluators.items()})
        path = run.folder / REPORT_NAME
        path.write_text(report.model_dump_json(indent=1))
        run.save_artifact(path, name=REPORT_NAME, kind=ArtifactKind.REPORT)
        if run.draws_pictures:
            _draw(run, report, evaluators[Split.VAL])
        seconds = time.monotonic() - started_at
        run.log(f"Evaluated epoch {history.best_epoch}, the best, in {seconds:.1f} s: see {REPORT_NAME}.")
    except Stopped:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the weights are good
        run.log(f"The report could not be made: {type(error).__name__}: {error}", LogLevel.ERROR)


def _evaluate(run: TrainingRun[Any], model: BestModel) -> dict[Split, Evaluator]:
    evaluators = {Split.VAL: run.history.best_evaluator or model.evaluate(Split.VAL)}
    if _is_labelled(run.dataset, Split.TEST):
        evaluators[Split.TEST] = model.evaluate(Split.TEST)
    return evaluators


def _make_report(run: TrainingRun[Any], model: BestModel, splits: dict[str, SplitEvaluation]) -> EvaluationReport:
    return EvaluationReport(
        framework=run.spec.framework,
        model_name=run.spec.model_name,
        task_type=run.spec.task_type,
        primary_metric=run.history.primary_metric,
        epoch=run.history.best_epoch,
        splits=splits,
        speed=_measure_speed(model, run.spec.params.batch_size),
    )


def _draw(run: TrainingRun[Any], report: EvaluationReport, evaluator: Evaluator) -> None:
    from trainer_kit.pictures import draw_all

    for picture in draw_all(
        run.folder / "pictures",
        task_type=report.task_type,
        dataset=run.dataset,
        history=run.history,
        evaluation=report.splits[Split.VAL],
        gallery=evaluator.gallery,
    ):
        if run.stop_requested():
            raise Stopped
        run.save_artifact(picture.path, name=picture.name, kind=picture.kind)


def _is_labelled(dataset: Dataset, split: Split) -> bool:
    """Return whether the split exists and has labels; a test split may have none."""
    return any(sample.class_ids for sample in dataset.splits.get(split, ()))


def _measure_speed(model: BestModel, batch_size: int) -> ModelSpeed:
    facts = model.describe()
    return ModelSpeed(
        device=facts.device,
        device_name=describe_device(facts.device),
        precision=facts.precision,
        image_size=facts.image_size,
        parameters=facts.parameters,
        batches=[time_batch(model.compute, size) for size in sorted({1, batch_size})],
    )
