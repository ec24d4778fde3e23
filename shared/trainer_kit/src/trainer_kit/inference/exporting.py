"""Exports: the network in a format for other programs, compared with the original on real images.

The libraries of the formats are imported when they are needed, so that predictions do not wait for them.
"""

import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data_kit import Dataset, Split, load_image
from trainer_kit.inference import portable
from trainer_kit.inference.bundle import write_bundle
from trainer_kit.inference.comparing import TOLERANCE, differences
from trainer_kit.inference.network import Arrays, Compute, LoadNetwork, Network, load_and_start
from trainer_kit.inference.predicting import as_json
from trainer_kit.trainer import OperationRun, TrainingError
from vision_contracts import ArtifactKind, EndReason, ExportFormat, ExportOperation

COMPARED_IMAGES = 8
NAMES = {
    ExportFormat.ONNX: "exports/model.onnx",
    ExportFormat.TORCHSCRIPT: "exports/model.torchscript",
    ExportFormat.SAFETENSORS: "exports/model.safetensors",
    ExportFormat.BUNDLE: "exports/bundle.zip",
}


def export(load_network: LoadNetwork) -> Callable[[OperationRun[Any]], None]:
    """Return a framework's entry point for jobs of the kind `export`."""

    def operation(run: OperationRun[Any]) -> None:
        network = load_and_start(run, load_network)
        assert isinstance(run.spec.work, ExportOperation)  # noqa: S101 - the spec's promise
        name = NAMES[run.spec.work.format]
        path = run.folder / Path(name).name
        WRITERS[run.spec.work.format](run, network, path)
        run.save_artifact(path, name=name, kind=ArtifactKind.EXPORT)
        run.report_finished({})

    return operation


def write_onnx(run: OperationRun[Any], network: Network, path: Path) -> dict[str, float]:
    """Write an ONNX file with metadata, and return the differences of its outputs: see `compare`."""
    network.write_onnx(path)
    add_metadata(path, model_facts(run, network))
    return compare(run, network, onnx_compute(path))


def write_torchscript(run: OperationRun[Any], network: Network, path: Path) -> dict[str, float]:
    return compare(run, network, network.write_torchscript(path))


def write_safetensors(run: OperationRun[Any], network: Network, path: Path) -> None:
    safetensors: Any = importlib.import_module("safetensors.numpy")
    tensors = {name: np.ascontiguousarray(value) for name, value in network.tensors().items()}
    safetensors.save_file(tensors, path, metadata={"model": json.dumps(model_facts(run, network))})
    written = safetensors.load_file(path)
    if written.keys() != tensors.keys() or any(not _equal(written[name], tensors[name]) for name in tensors):
        raise TrainingError(EndReason.EXPORT_MISMATCH, "The file does not give back the weights that were written.")


def _equal(one: Any, other: Any) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()


def write_zip(run: OperationRun[Any], network: Network, path: Path) -> None:
    onnx_path = run.folder / "model.onnx"
    largest = write_onnx(run, network, onnx_path)
    facts = model_facts(run, network) | {"largest_difference": largest, "tolerance": TOLERANCE}
    write_bundle(path, onnx_path, facts)


WRITERS: dict[ExportFormat, Callable[[OperationRun[Any], Network, Path], object]] = {
    ExportFormat.ONNX: write_onnx,
    ExportFormat.TORCHSCRIPT: write_torchscript,
    ExportFormat.SAFETENSORS: write_safetensors,
    ExportFormat.BUNDLE: write_zip,
}


def model_facts(run: OperationRun[Any], network: Network) -> dict[str, Any]:
    """Facts needed to use the weights: the network's description, and their name, metrics and data set."""
    work = run.spec.work
    assert isinstance(work, ExportOperation)  # noqa: S101 - the spec's promise
    dataset = {"name": work.dataset_name, "digest": run.spec.dataset.digest}
    return as_json(network.description) | {"name": work.name, "metrics": work.metrics, "dataset": dataset}


def add_metadata(path: Path, facts: dict[str, Any]) -> None:
    """Add metadata to an ONNX file: all facts as JSON under `model`, and the most important ones by their own names."""
    onnx: Any = importlib.import_module("onnx")
    model = onnx.load(path)
    metadata = {name: facts[name] for name in ("task_type", "class_names", "preprocessing")} | {"model": facts}
    onnx.helper.set_model_props(
        model, {name: value if isinstance(value, str) else json.dumps(value) for name, value in metadata.items()}
    )
    onnx.save(model, path)


def onnx_compute(path: Path) -> Compute:
    """Load an ONNX file, and return a function that runs it."""
    onnxruntime: Any = importlib.import_module("onnxruntime")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def compute(pixels: Any) -> Arrays:
        return dict(zip(names, session.run(names, {"image": pixels}), strict=True))

    return compute


def compare(run: OperationRun[Any], network: Network, exported: Compute) -> dict[str, float]:
    """Return the largest difference of each output over real images, as a share of its largest value.

    Batches have two images, or one at the end, since the size of the batch must be variable. Raises TrainingError with
    `export_mismatch` for differences above TOLERANCE.
    """
    assert run.dataset is not None  # noqa: S101 - an export is given one
    largest: dict[str, float] = {}
    done = 0
    for pixels in _real_batches(run.dataset, network):
        for name, difference in differences(network.run(pixels), exported(pixels)).items():
            largest[name] = float(np.maximum(largest.get(name, 0.0), difference))  # keeps NaN
        done += len(pixels)
        run.report(done, COMPARED_IMAGES)
    listed = ", ".join(f"{name} {difference:.2g}" for name, difference in largest.items())
    if not all(difference <= TOLERANCE for difference in largest.values()):
        message = f"The exported network does not compute what the original does (difference: {listed})."
        raise TrainingError(EndReason.EXPORT_MISMATCH, f"{message} {EndReason.EXPORT_MISMATCH.advice}")
    run.log(f"Compared with the original on {done} images; largest difference: {listed}.")
    return largest


def _real_batches(dataset: Dataset, network: Network) -> Iterator[Any]:
    preprocessing = as_json(network.description)["preprocessing"]
    samples = [*dataset[Split.VAL], *dataset[Split.TRAIN]][:COMPARED_IMAGES]
    images = [portable.prepare(load_image(sample.image), preprocessing)[0] for sample in samples]
    for start in range(0, len(images), 2):
        yield np.stack(images[start : start + 2])
