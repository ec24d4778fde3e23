"""What every format's reader is given and gives."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field

from PIL import Image

from data_kit.dataset import Instance, Sample, Split
from data_kit.images import read_size
from data_kit.inspection import Look, look_at
from data_kit.findings import Report
from data_kit.tree import Tree
from vision_contracts import TaskType

MOST_PIXEL_CLASSES = 254
"""A label of a pixel is a byte, of which two values stand for the background and for what is ignored."""


@dataclass(frozen=True)
class Labels:
    """A data set as its files have it: `val` may still be missing."""

    class_names: tuple[str, ...]
    splits: dict[Split, list[Sample]]
    """A split that the files do not name is absent; one that they name may be empty."""
    keypoint_names: tuple[str, ...] = ()
    keypoint_flip: tuple[int, ...] = ()
    skeleton: tuple[tuple[int, int], ...] = ()


@dataclass
class Source:
    """Where a reader finds files, says what is wrong, and looks images up."""

    tree: Tree
    report: Report
    task_type: TaskType | None = None
    """What the labels are wanted for, where that chooses between files."""
    deep: bool = False
    """Decode every image completely instead of its header alone."""
    on_image: Callable[[int], None] | None = None
    """Called with how many images were looked up, after each of them."""
    looks: dict[str, Look] = field(default_factory=dict[str, Look])
    """With `deep`, what was seen of each image."""
    _sizes: dict[str, tuple[int, int] | None] = field(default_factory=dict[str, tuple[int, int] | None])

    def size(self, image: str) -> tuple[int, int] | None:
        """Width and height of the upright image; None, and a finding, if it cannot be read."""
        if image not in self._sizes:
            self._sizes[image] = self._read_size(image)
            if self.on_image is not None:
                self.on_image(len(self._sizes))
        return self._sizes[image]

    @property
    def asked(self) -> Set[str]:
        """Every image that a label or a list has named, also those that cannot be read."""
        return self._sizes.keys()

    def _read_size(self, image: str) -> tuple[int, int] | None:
        path = self.tree.path(image)
        try:
            if not self.deep:
                return read_size(path)
            look = self.looks[image] = look_at(path)
            return look.size
        except Image.DecompressionBombError:
            self.report.error("image_too_large", image, "The image has too many pixels.", "Scale it down.")
        except OSError:
            what = "empty" if path.stat().st_size == 0 else "no readable image, or cut off"
            self.report.error("image_unreadable", image, f"The file is {what}.", "Replace the file, or remove it.")
        return None


Reader = Callable[[Source], Labels]


def tasks_of(labels: Labels) -> frozenset[TaskType]:
    """Every task that the labels can train."""
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
