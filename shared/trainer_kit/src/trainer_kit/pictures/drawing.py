"""The list of a training's plots, and their names."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from data_kit import Dataset
from trainer_kit.evaluation import Gallery, History
from trainer_kit.pictures.classes import draw_classes, draw_confusion
from trainer_kit.pictures.curves import draw_calibration, draw_f1, draw_learning, draw_precision_recall
from trainer_kit.pictures.samples import draw_images
from trainer_kit.pictures.style import save, use_fonts_for
from vision_contracts import ArtifactKind, SplitEvaluation, TaskType

_OBJECTS = "blue: labelled; orange, dashed: found"
_CORRECT_OR_WRONG = "✓ correct, ✗ wrong"
_LEGENDS = {
    TaskType.IMAGE_CLASSIFICATION: _CORRECT_OR_WRONG,
    TaskType.SEMANTIC_SEGMENTATION: "coloured: predicted; outlined: labelled",
}


@dataclass(frozen=True)
class Picture:
    """A complete file, its name as an artifact, and its kind."""

    name: str
    kind: ArtifactKind
    path: Path


def draw_all(
    folder: Path,
    *,
    task_type: TaskType,
    dataset: Dataset,
    history: History,
    evaluation: SplitEvaluation,
    gallery: Gallery,
) -> Iterator[Picture]:
    """Draw the plots into `folder`, and yield each one when it is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    use_fonts_for(dataset.class_names)
    for name, figure in _plots(task_type, history, evaluation):
        save(figure, path := folder / f"{name}.png")
        yield Picture(f"plots/{name}.png", ArtifactKind.PLOT, path)
    for name, figure in _samples(task_type, dataset, gallery):
        save(figure, path := folder / f"{name}.png")
        yield Picture(f"plots/{name}.png", ArtifactKind.SAMPLE, path)


def _plots(task_type: TaskType, history: History, evaluation: SplitEvaluation) -> Iterator[tuple[str, Figure]]:
    yield "learning_curves", draw_learning(history)
    yield "confusion_matrix", draw_confusion(evaluation)
    match task_type:
        case TaskType.IMAGE_CLASSIFICATION:
            yield "classes", draw_classes(evaluation, "f1", "F1")
            yield "calibration", draw_calibration(evaluation)
        case TaskType.SEMANTIC_SEGMENTATION:
            yield "classes", draw_classes(evaluation, "iou", "IoU")
        case _:
            yield "classes", draw_classes(evaluation, "map50_95", "AP 50-95")
            yield "precision_recall", draw_precision_recall(evaluation)
            yield "f1_confidence", draw_f1(evaluation)


def _samples(task_type: TaskType, dataset: Dataset, gallery: Gallery) -> Iterator[tuple[str, Figure]]:
    legend = _LEGENDS.get(task_type, _OBJECTS)
    worst = "Worst images" if task_type is TaskType.SEMANTIC_SEGMENTATION else "Most confident mistakes"
    if samples := gallery.samples:
        yield "sample_predictions", draw_images(samples, dataset, f"Validation images ({legend})")
    if mistakes := gallery.mistakes:
        title = worst + (f" ({legend})" if legend != _CORRECT_OR_WRONG else "")
        yield "mistakes", draw_images(mistakes, dataset, title)
