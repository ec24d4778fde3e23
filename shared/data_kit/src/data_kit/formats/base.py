"""Input and output of every format's reader."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field

from PIL import Image

from data_kit.dataset import Instance, Sample, Split
from data_kit.findings import FindingCollector
from data_kit.images import MOST_FILE_BYTES, MOST_PIXELS, read_size
from data_kit.inspection import ImageInspection, inspect_image
from data_kit.tree import Tree
from vision_contracts import TaskType

MOST_PIXEL_CLASSES = 254
"""A pixel's label is a byte, of which two values stand for background and ignored pixels."""


@dataclass(frozen=True)
class Labels:
    """Labels of a data set as its files have them: `val` may still be missing."""

    class_names: tuple[str, ...]
    splits: dict[Split, list[Sample]]
    """A split that the files do not name is absent; one that they name may be empty."""
    keypoint_names: tuple[str, ...] = ()
    keypoint_flip: tuple[int, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()


@dataclass
class Source:
    """A reader's access to files, findings and image sizes."""

    tree: Tree
    findings: FindingCollector
    task_type: TaskType | None = None
    """Task to train, which may choose between files."""
    deep: bool = False
    """Decode every image completely instead of its header alone."""
    on_image: Callable[[int], None] | None = None
    """Callback that gets the number of images looked up so far."""
    inspections: dict[str, ImageInspection] = field(default_factory=dict[str, ImageInspection])
    """Inspections by image, if `deep`."""
    _sizes: dict[str, tuple[int, int] | None] = field(default_factory=dict[str, tuple[int, int] | None])

    def size(self, image: str) -> tuple[int, int] | None:
        """Return width and height of the upright image; None, and a finding, if it cannot be read."""
        if image not in self._sizes:
            self._sizes[image] = self._read_size(image)
            if self.on_image is not None:
                self.on_image(len(self._sizes))
        return self._sizes[image]

    @property
    def requested(self) -> Set[str]:
        """Every image whose size was requested, also those that cannot be read: a label or a list names it."""
        return self._sizes.keys()

    def _read_size(self, image: str) -> tuple[int, int] | None:
        path = self.tree.path(image)
        try:
            if not self.deep:
                return read_size(path)
            inspection = self.inspections[image] = inspect_image(path)
            return inspection.size
        except (Image.DecompressionBombError, MemoryError):
            most = f"{MOST_PIXELS // 1_000_000} million pixels, and files of {MOST_FILE_BYTES >> 20} MiB, are accepted"
            self.findings.error("image_too_large", image, f"The image is too large: at most {most}.", "Scale it down.")
        except OSError:
            problem = "empty" if path.stat().st_size == 0 else "no readable image, or cut off"
            self.findings.error("image_unreadable", image, f"The file is {problem}.", "Replace the file, or remove it.")
        return None


Reader = Callable[[Source], Labels]


def tasks_of(labels: Labels) -> frozenset[TaskType]:
    """Return every task that the labels can train."""
    samples = [sample for split in labels.splits.values() for sample in split]
    if any(sample.class_id is not None for sample in samples):
        return frozenset({TaskType.IMAGE_CLASSIFICATION})
    instances = [instance for sample in samples for instance in sample.instances if not instance.is_crowd]
    return _object_tasks(instances, len(labels.class_names)) if instances else frozenset()


def _object_tasks(instances: Sequence[Instance], num_classes: int) -> frozenset[TaskType]:
    tasks = {TaskType.OBJECT_DETECTION}
    if all(instance.polygons for instance in instances):
        tasks.add(TaskType.INSTANCE_SEGMENTATION)
        if num_classes <= MOST_PIXEL_CLASSES:
            tasks.add(TaskType.SEMANTIC_SEGMENTATION)
    if all(instance.corners for instance in instances):
        tasks.add(TaskType.ORIENTED_OBJECT_DETECTION)
    if any(instance.keypoints for instance in instances):
        tasks.add(TaskType.POSE_ESTIMATION)
    return frozenset(tasks)
