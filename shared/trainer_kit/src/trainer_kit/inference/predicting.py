"""Predictions: images that people sent, looked at one by one. A bad one gets its error, the others their answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from data_kit import load_image
from data_kit.images import read_size
from trainer_kit.inference import portable
from trainer_kit.inference.drawing import draw
from trainer_kit.inference.network import Description, LoadNetwork, Network, begin
from trainer_kit.trainer import OperationRun
from vision_contracts import ArtifactKind, ImageError, ImagePrediction, PredictionReport, PredictOperation

MOST_PIXELS = 50_000_000
"""Of one image: 150 MB decoded."""
REPORT = "predictions.json"


def predict(load_network: LoadNetwork) -> Callable[[OperationRun[Any]], None]:
    """A framework's work of the kind `predict`."""

    def work(run: OperationRun[Any]) -> None:
        network = begin(run, load_network)
        assert isinstance(run.spec.work, PredictOperation)  # noqa: S101 - the spec's promise
        answers = [_answer(run, network, run.spec.work, number) for number in range(len(run.images))]
        report = PredictionReport(
            task_type=run.spec.task_type,
            class_names=network.description.class_names,
            threshold=run.spec.work.threshold,
            images=answers,
        )
        path = run.folder / REPORT
        path.write_text(report.model_dump_json())
        run.save_artifact(path, name=REPORT, kind=ArtifactKind.REPORT)
        run.report_end({})

    return work


def _answer(run: OperationRun[Any], network: Network, work: PredictOperation, number: int) -> ImagePrediction:
    name = work.images[number].name
    image = open_image(run.images[number])
    run.report(number, len(run.images))
    if isinstance(image, ImageError):
        return ImagePrediction(name=name, error=image)
    answer = look_at(network, image, threshold=work.threshold, top_k=work.top_k)
    prediction = ImagePrediction(name=name, width=image.width, height=image.height, **answer)
    drawing = f"drawings/{number}.png"
    path = run.folder / f"drawing-{number}.png"
    draw(image, prediction, network.description).save(path)
    run.save_artifact(path, name=drawing, kind=ArtifactKind.SAMPLE)
    return prediction.model_copy(update={"drawing": drawing})


def open_image(path: Path) -> Image.Image | ImageError:
    """Looks at its header before anything is decoded."""
    try:
        width, height = read_size(path)
        if width * height > MOST_PIXELS:
            return _too_large(f"It has {width} x {height} pixels")
        return load_image(path)
    except Image.DecompressionBombError:
        return _too_large("It is absurdly large")
    except (OSError, MemoryError) as error:
        reason = str(error).replace(str(path), "it")
        message = f"It cannot be decoded ({reason}). Send a BMP, GIF, JPEG, PNG, TIFF or WebP image."
        return ImageError(code="image_broken", message=message)


def _too_large(what: str) -> ImageError:
    message = f"{what}; at most {MOST_PIXELS // 1_000_000} million are taken. Send a smaller one."
    return ImageError(code="image_too_large", message=message)


def look_at(network: Network, image: Image.Image, *, threshold: float, top_k: int) -> dict[str, Any]:
    """The answer for one image, as `portable.decode` gives it."""
    outputs, placement = run_on(network, image)
    model = as_json(network.description)
    return portable.decode(model, outputs, placement, threshold=threshold, top_k=top_k)


def run_on(network: Network, image: Image.Image) -> tuple[dict[str, Any], portable.Placement]:
    """The network's outputs for one image, without the batch."""
    pixels, placement = portable.prepare(image, as_json(network.description)["preprocessing"])
    return {name: values[0] for name, values in network.run(pixels[None]).items()}, placement


def as_json(description: Description) -> dict[str, Any]:
    """The description as a bundle has it."""
    return description.model_dump(mode="json")
