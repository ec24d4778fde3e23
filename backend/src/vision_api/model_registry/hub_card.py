"""A model's `README.md` in the format of the Hugging Face hub: metadata in YAML, then Markdown. Pure.

https://huggingface.co/docs/hub/model-cards; the metadata follow its specification (`modelcard.md`), the results
Papers With Code's `model-index`.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from vision_api.comparison.compared_job import latency_seconds
from vision_api.model_registry.lineage import Lineage
from vision_api.model_registry.schemas import ModelVersionRead
from vision_contracts import ModelSpeed, TaskType

PIPELINES: Mapping[TaskType, tuple[str, str]] = {
    TaskType.IMAGE_CLASSIFICATION: ("image-classification", "Image Classification"),
    TaskType.OBJECT_DETECTION: ("object-detection", "Object Detection"),
    TaskType.ORIENTED_OBJECT_DETECTION: ("object-detection", "Object Detection"),
    TaskType.INSTANCE_SEGMENTATION: ("image-segmentation", "Image Segmentation"),
    TaskType.SEMANTIC_SEGMENTATION: ("image-segmentation", "Image Segmentation"),
    TaskType.POSE_ESTIMATION: ("keypoint-detection", "Keypoint Detection"),
}


def render_version(version: ModelVersionRead) -> str:
    """Render the card of a version from its stored lineage and its current notes."""
    return render(version.lineage, title=version.reference, notes=version.notes)


def render(lineage: Lineage, *, title: str, notes: str) -> str:
    """Render the whole file. Text of people and trainings is escaped."""
    metadata = yaml.safe_dump(_metadata(lineage, title), sort_keys=False, allow_unicode=True, width=120)
    body = "\n\n".join(_sections(lineage, title, notes))
    return f"---\n{metadata}---\n\n{body}\n"


def _metadata(lineage: Lineage, title: str) -> dict[str, Any]:
    pipeline, task_name = PIPELINES[lineage.task_type]
    measured = {name: value for name, value in lineage.metrics.items() if value is not None}
    tags = (pipeline, lineage.model.framework, lineage.model.family, "vision")
    return {
        "license": lineage.model.license or "unknown",
        "library_name": _library(lineage),
        "pipeline_tag": pipeline,
        "tags": list(dict.fromkeys(tag for tag in tags if tag)),
        "metrics": sorted({name.partition("/")[2] for name in measured}),
        "model-index": [{"name": title, "results": _results(lineage, measured, pipeline, task_name)}],
    }


def _library(lineage: Lineage) -> str:
    """Return the framework's own library, which a training reports first; without any, the framework's name."""
    versions: Mapping[str, Any] = lineage.environment.get("versions", {})
    return next(iter(versions), lineage.model.framework)


def _results(lineage: Lineage, measured: Mapping[str, float], pipeline: str, task_name: str) -> list[dict[str, Any]]:
    """Return the results of each measured split."""
    data = lineage.dataset
    splits = dict.fromkeys(name.partition("/")[0] for name in measured)
    return [
        {
            "task": {"type": pipeline, "name": task_name},
            "dataset": {
                "name": data.name or "a folder",
                "type": data.format,
                "split": split,
                **({"revision": data.digest} if data.digest else {}),
            },
            "metrics": [
                {"type": name.partition("/")[2], "name": name, "value": value}
                for name, value in measured.items()
                if name.startswith(f"{split}/")
            ],
        }
        for split in splits
    ]


def _sections(lineage: Lineage, title: str, notes: str) -> Iterator[str]:
    model = lineage.model
    yield f"# {_plain(title)}"
    name = model.display_name or model.model_name
    yield f"{_plain(name)} of {_plain(model.framework)}, trained for {lineage.task_type.replace('_', ' ')}."
    if notes.strip():
        yield _quoted(notes)
    yield f"## Model\n\n{_table(_describe_model(lineage))}"
    yield f"## Training data\n\n{_table(_describe_data(lineage))}"
    yield f"## Training\n\n{_table(_describe_training(lineage))}"
    yield f"## Evaluation\n\n{_evaluation(lineage)}"
    yield f"## Limits\n\n{_limits(lineage)}"


def _describe_model(lineage: Lineage) -> dict[str, object]:
    model, file = lineage.model, lineage.file
    return {
        "Architecture": model.model_name,
        "Parameters": f"{model.params:,}" if model.params is not None else None,
        "Billions of multiply-adds": model.gmacs,
        "Input size": f"{model.input_size} pixels" if model.input_size is not None else None,
        "Classes": lineage.dataset.num_classes,
        "One image takes": _latency(lineage.speed),
        "File": file.artifact,
        "Size": f"{file.size_bytes:,} bytes",
        "SHA-256": file.sha256,
    }


def _latency(speed: ModelSpeed | None) -> str | None:
    seconds = latency_seconds(speed)
    if speed is None or seconds is None:
        return None
    return f"{1000 * seconds:.3g} ms on {speed.device_name}, {speed.precision}, {speed.image_size} pixels"


def _describe_data(lineage: Lineage) -> dict[str, object]:
    data = lineage.dataset
    return {
        "Data set": data.name or data.path,
        "Version": data.version,
        "Digest": data.digest,
        "Validated on": data.validation_split,
        **{f"Images in {split}": counts.get("images") for split, counts in data.splits.items()},
    }


def _describe_training(lineage: Lineage) -> dict[str, object]:
    settings, environment = dict(lineage.settings), lineage.environment
    hyperparameters: Mapping[str, Any] = settings.pop("hyperparameters", {})
    versions: Mapping[str, Any] = environment.get("versions", {})
    return {
        **settings,
        **hyperparameters,
        "trained on": environment.get("device"),
        **versions,
        "platform": environment.get("platform"),
        "experiment": lineage.job.uid,
    }


def _evaluation(lineage: Lineage) -> str:
    if not lineage.metrics:
        return "Nothing was measured."
    numbers = {
        f"**{name}**" if name == lineage.primary_metric else name: "—" if value is None else f"{value:.4g}"
        for name, value in lineage.metrics.items()
    }
    rows = [f"| {_cell(name)} | {value} |" for name, value in numbers.items()]
    return "\n".join(["| metric | value |", "|---|---|", *rows])


def _limits(lineage: Lineage) -> str:
    data = lineage.dataset
    limits = [
        "It knows the classes of its training data and no others, and images that look like them.",
        "The checkpoint was chosen by its value on the validation split: expect a little less on new images.",
    ]
    if not any(name.startswith("test/") for name in lineage.metrics):
        limits.append("There are no numbers of a test split that had no part in that choice.")
    if data.digest is None:
        limits.append("It was trained on a folder: what that held is not kept.")
    if lineage.model.license is None:
        limits.append("The licence of the weights that it began with is not known: look it up before you pass it on.")
    return "\n".join(f"- {sentence}" for sentence in limits)


def _table(facts: Mapping[str, object]) -> str:
    rows = [f"| {_cell(name)} | {_cell(value)} |" for name, value in facts.items() if value is not None]
    return "\n".join(["| | |", "|---|---|", *rows])


def _cell(value: object) -> str:
    text = value if isinstance(value, str) else str(value) if not isinstance(value, dict | list) else json.dumps(value)
    return _plain(text)


def _plain(text: str) -> str:
    """Return one line with all markup escaped: names come from people."""
    line = " ".join(text.split())
    for character in "\\`<>[]|#":
        line = line.replace(character, f"\\{character}")
    return line


def _quoted(text: str) -> str:
    return "\n".join(f"> {_plain(line)}".rstrip() for line in text.strip().splitlines())
