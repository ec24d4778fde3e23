"""A model version or a job's result described in the format of the Hugging Face hub, from its lineage. Pure."""

from collections.abc import Mapping
from typing import Any

from vision_api.comparison.compared_job import latency_seconds
from vision_api.model_registry.lineage import Lineage
from vision_api.model_registry.schemas import ModelVersionRead
from vision_contracts import ModelSpeed
from vision_contracts.hub_card import HubCard, HubData


def render_version(version: ModelVersionRead) -> str:
    """Render the card of a version from its stored lineage and its current notes."""
    return render(version.lineage, title=version.reference, notes=version.notes)


def render(lineage: Lineage, *, title: str, notes: str) -> str:
    """Render the whole file."""
    model, data = lineage.model, lineage.dataset
    card = HubCard(
        title=title,
        notes=notes,
        task_type=lineage.task_type,
        framework=model.framework,
        model_name=model.model_name,
        display_name=model.display_name,
        family=model.family,
        library=_library(lineage),
        license=model.license,
        metrics=lineage.metrics,
        primary_metric=lineage.primary_metric,
        data=HubData(
            name=data.name,
            digest=data.digest,
            format=data.format,
            path=data.path,
            version=data.version,
            validation_split=data.validation_split,
            image_counts={split: counts.get("images") for split, counts in data.splits.items()},
        ),
        model=_describe_model(lineage),
        training=_describe_training(lineage),
    )
    return card.render()


def _library(lineage: Lineage) -> str:
    """Return the framework's own library, which a training reports first; without any, the framework's name."""
    versions: Mapping[str, Any] = lineage.environment.get("versions", {})
    return next(iter(versions), lineage.model.framework)


def _describe_model(lineage: Lineage) -> dict[str, object]:
    model, file = lineage.model, lineage.file
    return {
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
