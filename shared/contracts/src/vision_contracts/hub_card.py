"""A model's `README.md` in the format of the Hugging Face hub: metadata in YAML, then Markdown.

https://huggingface.co/docs/hub/model-cards; the metadata follow its specification (`modelcard.md`), the results
Papers With Code's `model-index`. Not part of the wire: see ADR 17.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vision_contracts.tasks import TaskType

PIPELINES: Mapping[TaskType, tuple[str, str]] = {
    TaskType.IMAGE_CLASSIFICATION: ("image-classification", "Image Classification"),
    TaskType.OBJECT_DETECTION: ("object-detection", "Object Detection"),
    TaskType.ORIENTED_OBJECT_DETECTION: ("object-detection", "Object Detection"),
    TaskType.INSTANCE_SEGMENTATION: ("image-segmentation", "Image Segmentation"),
    TaskType.SEMANTIC_SEGMENTATION: ("image-segmentation", "Image Segmentation"),
    TaskType.POSE_ESTIMATION: ("keypoint-detection", "Keypoint Detection"),
}
"""Names of each task in the hub's metadata (`pipeline_tag`), and for people."""

Table = Mapping[str, object]
"""Rows of a table, by their name; those with None are left out."""

_NOT_PRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters that JSON has as they are, and YAML only escaped."""


@dataclass(frozen=True, slots=True)
class HubData:
    """The data set of a model."""

    name: str | None
    digest: str | None
    """Digest of its content; None for a folder."""
    format: str | None = None
    path: str | None = None
    version: int | None = None
    validation_split: str | None = None
    image_counts: Mapping[str, int | None] = field(default_factory=dict[str, int | None])
    """Number of images of each split."""

    def rows(self) -> Table:
        """Return the rows of its table."""
        return {
            "Data set": self.name or self.path or "a folder",
            "Version": self.version,
            "Digest": self.digest,
            "Validated on": self.validation_split,
            **{f"Images in {split}": count for split, count in self.image_counts.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HubCard:
    """Facts of a trained model. Text of people and trainings is escaped; sections without facts are left out."""

    title: str
    task_type: TaskType
    framework: str
    model_name: str
    library: str
    """Library that loads the weights."""
    data: HubData
    metrics: Mapping[str, float | None]
    """Metrics by split and name: `val/accuracy`, `test/f1_macro`, …"""
    display_name: str | None = None
    family: str | None = None
    license: str | None = None
    license_note: str = ""
    primary_metric: str | None = None
    notes: str = ""
    usage: str = ""
    """Markdown of the platform, not escaped."""
    class_names: Sequence[str] = ()
    model: Table = field(default_factory=dict[str, object])
    training: Table = field(default_factory=dict[str, object])

    def render(self) -> str:
        """Render the whole file."""
        metadata = "".join(f"{name}: {_yaml(value)}\n" for name, value in self._metadata().items())
        body = "\n\n".join(self._sections())
        return f"---\n{metadata}---\n\n{body}\n"

    def _metadata(self) -> dict[str, Any]:
        pipeline, task_name = PIPELINES[self.task_type]
        measured = {name: value for name, value in self.metrics.items() if value is not None}
        tags = (pipeline, self.framework, self.family, self.model_name, "vision")
        return {
            "license": (self.license or "unknown").lower(),
            "library_name": self.library,
            "pipeline_tag": pipeline,
            "tags": list(dict.fromkeys(tag for tag in tags if tag)),
            "metrics": sorted({name.partition("/")[2] for name in measured}),
            "model-index": [{"name": self.title, "results": self._results(measured, pipeline, task_name)}],
        }

    def _results(self, measured: Mapping[str, float], pipeline: str, task_name: str) -> list[dict[str, Any]]:
        """Return the results of each measured split."""
        data = self.data
        splits = dict.fromkeys(name.partition("/")[0] for name in measured)
        return [
            {
                "task": {"type": pipeline, "name": task_name},
                "dataset": {
                    "name": data.name or "a folder",
                    "type": data.format or "unknown",
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

    def _sections(self) -> Iterator[str]:
        yield f"# {_plain(self.title)}"
        name = _plain(self.display_name or self.model_name)
        yield f"{name} of {_plain(self.framework)}, trained for {self.task_type.replace('_', ' ')}."
        if self.notes.strip():
            yield _quoted(self.notes)
        if self.usage:
            yield f"## Use\n\n{self.usage}"
        yield f"## Model\n\n{_table({'Architecture': self.model_name, **self.model})}"
        if self.class_names:
            yield f"## Classes\n\n{', '.join(map(_plain, self.class_names))}"
        yield f"## Training data\n\n{_table(self.data.rows())}"
        if self.training:
            yield f"## Training\n\n{_table(self.training)}"
        yield f"## Evaluation\n\n{self._evaluation()}"
        yield f"## Limits\n\n{self._limits()}"
        if self.license_note:
            yield f"## Licence\n\n{_plain(self.license_note)}"

    def _evaluation(self) -> str:
        if not self.metrics:
            return "Nothing was measured."
        numbers = {
            f"**{name}**" if name == self.primary_metric else name: "—" if value is None else f"{value:.4g}"
            for name, value in self.metrics.items()
        }
        rows = [f"| {_cell(name)} | {value} |" for name, value in numbers.items()]
        return "\n".join(["| metric | value |", "|---|---|", *rows])

    def _limits(self) -> str:
        limits = [
            "It knows the classes of its training data and no others, and images that look like them.",
            "The checkpoint was chosen by its value on the validation split: expect a little less on new images.",
        ]
        if not any(name.startswith("test/") for name in self.metrics):
            limits.append("There are no numbers of a test split that had no part in that choice.")
        if self.data.digest is None:
            limits.append("It was trained on a folder: what that held is not kept.")
        if self.license is None:
            limits.append(
                "The licence of the weights that it began with is not known: look it up before you pass it on."
            )
        return "\n".join(f"- {sentence}" for sentence in limits)


def _yaml(value: object) -> str:
    """Write a value as JSON, of which YAML is a superset but for a few characters."""
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_PRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _table(rows: Table) -> str:
    lines = [f"| {_cell(name)} | {_cell(value)} |" for name, value in rows.items() if value is not None]
    return "\n".join(["| | |", "|---|---|", *lines])


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
