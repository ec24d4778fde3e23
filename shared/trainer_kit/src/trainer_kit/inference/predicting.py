"""Predictions for uploaded images, one by one. An unreadable image gets an error and does not affect the others."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from data_kit import load_image
from data_kit.images import MOST_PIXELS, ImageTooLarge
from trainer_kit.inference import portable
from trainer_kit.inference.drawing import draw
from trainer_kit.inference.network import Description, LoadNetwork, Network, load_and_start
from trainer_kit.trainer import OperationRun
from vision_contracts import ArtifactKind, ImageError, ImagePrediction, PredictionReport, PredictOperation

REPORT = "predictions.json"


def predict(load_network: LoadNetwork) -> Callable[[OperationRun[Any]], None]:
    """Return a framework's entry point for jobs of the kind `predict`."""

    def operation(run: OperationRun[Any]) -> None:
        network = load_and_start(run, load_network)
        assert isinstance(run.spec.work, PredictOperation)  # noqa: S101 - the spec's promise
        predictions = [_predict_number(run, network, run.spec.work, number) for number in range(len(run.images))]
        report = PredictionReport(
            task_type=run.spec.task_type,
            class_names=network.description.class_names,
            threshold=run.spec.work.threshold,
            images=predictions,
        )
        path = run.folder / REPORT
        path.write_text(report.model_dump_json())
        run.save_artifact(path, name=REPORT, kind=ArtifactKind.REPORT)
        run.report_finished({})

    return operation


def _predict_number(run: OperationRun[Any], network: Network, work: PredictOperation, number: int) -> ImagePrediction:
    name = work.images[number].name
    image = open_image(run.images[number])
    run.report(number, len(run.images))
    if isinstance(image, ImageError):
        return ImagePrediction(name=name, error=image)
    decoded = predict_image(network, image, threshold=work.threshold, top_k=work.top_k)
    prediction = ImagePrediction(name=name, width=image.width, height=image.height, **decoded)
    drawing = f"drawings/{number}.png"
    path = run.folder / f"drawing-{number}.png"
    draw(image, prediction, network.description).save(path)
    run.save_artifact(path, name=drawing, kind=ArtifactKind.SAMPLE)
    return prediction.model_copy(update={"drawing": drawing})


def open_image(path: Path) -> Image.Image | ImageError:
    """Decode an image, or return the error if it is broken or too large. Its header is checked before it is decoded."""
    try:
        return load_image(path)
    except ImageTooLarge as error:
        return _too_large(f"I{str(error)[1:]}")
    except Image.DecompressionBombError:
        return _too_large("It has far too many pixels")
    except (OSError, MemoryError) as error:
        reason = str(error).replace(str(path), "it")
        message = f"It cannot be decoded ({reason}). Send a BMP, GIF, JPEG, PNG, TIFF or WebP image."
        return ImageError(code="image_broken", message=message)


def _too_large(reason: str) -> ImageError:
    message = f"{reason}; at most {MOST_PIXELS // 1_000_000} million are accepted. Send a smaller one."
    return ImageError(code="image_too_large", message=message)


def predict_image(network: Network, image: Image.Image, *, threshold: float, top_k: int) -> dict[str, Any]:
    """Return the prediction for one image, as `portable.decode` gives it."""
    outputs, placement = run_network(network, image)
    model = as_json(network.description)
    return portable.decode(model, outputs, placement, threshold=threshold, top_k=top_k)


def run_network(network: Network, image: Image.Image) -> tuple[dict[str, Any], portable.Placement]:
    """Return the network's outputs for one upright RGB image, without the batch, and the image's placement."""
    pixels, placement = portable.prepare(image, as_json(network.description)["preprocessing"])
    return {name: values[0] for name, values in network.run(pixels[None]).items()}, placement


def as_json(description: Description) -> dict[str, Any]:
    """Return the description as JSON, as `model.json` has it."""
    return description.model_dump(mode="json")
