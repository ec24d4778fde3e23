"""Exports: the network in a form that others read, compared with the original on real images.

The libraries that write and read them are imported when they are needed: they carry no types, and no prediction waits.
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
from trainer_kit.inference.network import Arrays, Compute, LoadNetwork, Network, begin
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
    """A framework's work of the kind `export`."""

    def work(run: OperationRun[Any]) -> None:
        network = begin(run, load_network)
        assert isinstance(run.spec.work, ExportOperation)  # noqa: S101 - the spec's promise
        name = NAMES[run.spec.work.format]
        path = run.folder / Path(name).name
        WRITERS[run.spec.work.format](run, network, path)
        run.save_artifact(path, name=name, kind=ArtifactKind.EXPORT)
        run.report_end({})

    return work


def write_onnx(run: OperationRun[Any], network: Network, path: Path) -> dict[str, float]:
    """Returns how far its outputs lie from the original's."""
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
    """What one must know of the weights: the description, and where they come from."""
    work = run.spec.work
    assert isinstance(work, ExportOperation)  # noqa: S101 - the spec's promise
    dataset = {"name": work.dataset_name, "digest": run.spec.dataset.digest}
    return as_json(network.description) | {"name": work.name, "metrics": work.metrics, "dataset": dataset}


def add_metadata(path: Path, facts: dict[str, Any]) -> None:
    """`model` is all of it as JSON; beside it what is asked for most, one by one."""
    onnx: Any = importlib.import_module("onnx")
    model = onnx.load(path)
    told = {name: facts[name] for name in ("task_type", "class_names", "preprocessing")} | {"model": facts}
    onnx.helper.set_model_props(
        model, {name: value if isinstance(value, str) else json.dumps(value) for name, value in told.items()}
    )
    onnx.save(model, path)


def onnx_compute(path: Path) -> Compute:
    """What an ONNX file computes."""
    onnxruntime: Any = importlib.import_module("onnxruntime")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def compute(pixels: Any) -> Arrays:
        return dict(zip(names, session.run(names, {"image": pixels}), strict=True))

    return compute


def compare(run: OperationRun[Any], network: Network, exported: Compute) -> dict[str, float]:
    """The largest difference of each output, as a share of its largest value, over real images, by twos: the batch must
    vary. Raises TrainingError with `export_mismatch` for more than TOLERANCE.
    """
    assert run.dataset is not None  # noqa: S101 - an export is given one
    largest: dict[str, float] = {}
    done = 0
    for pixels in _real_batches(run.dataset, network):
        for name, difference in differences(network.run(pixels), exported(pixels)).items():
            largest[name] = float(np.maximum(largest.get(name, 0.0), difference))  # keeps NaN
        done += len(pixels)
        run.report(done, COMPARED_IMAGES)
    told = ", ".join(f"{name} {difference:.2g}" for name, difference in largest.items())
    if not all(difference <= TOLERANCE for difference in largest.values()):
        message = f"The exported network does not compute what the original does (difference: {told})."
        raise TrainingError(EndReason.EXPORT_MISMATCH, f"{message} Choose another format, and report it.")
    run.log(f"Compared with the original on {done} images; largest difference: {told}.")
    return largest


def _real_batches(dataset: Dataset, network: Network) -> Iterator[Any]:
    preprocessing = as_json(network.description)["preprocessing"]
    samples = [*dataset[Split.VAL], *dataset[Split.TRAIN]][:COMPARED_IMAGES]
    images = [portable.prepare(load_image(sample.image), preprocessing)[0] for sample in samples]
    for start in range(0, len(images), 2):
        yield np.stack(images[start : start + 2])
