"""What a prediction says: the artifact `predictions.json`. Coordinates are pixels of the upright image."""

from pydantic import Field

from vision_contracts.base import Message
from vision_contracts.tasks import TaskType


class Mask(Message):
    """A mask as COCO writes it, compressed: column by column, the runs of off and on."""

    size: tuple[int, int] = Field(description="Height and width.")
    counts: str


class Label(Message):
    """A class of the whole image."""

    class_id: int
    label: str
    score: float


class FoundKeypoint(Message):
    """One point of an object."""

    x: float
    y: float
    score: float


class FoundObject(Message):
    """One object. Which of the optional parts it has depends on the task."""

    class_id: int
    label: str
    score: float
    box: tuple[float, float, float, float] = Field(description="Left, top, right, bottom.")
    mask: Mask | None = None
    keypoints: list[FoundKeypoint] | None = None
    corners: list[float] | None = Field(default=None, description="Of an oriented box: x, y of its four corners.")


class Region(Message):
    """All pixels of one class (semantic segmentation)."""

    class_id: int
    label: str
    share: float = Field(description="Of the image's pixels, 0 to 1.")
    mask: Mask


class ImageError(Message):
    """Why there is no answer for an image; the others have theirs."""

    code: str = Field(description="`image_broken` or `image_too_large`.")
    message: str


class ImagePrediction(Message):
    """One image."""

    name: str
    width: int | None = None
    height: int | None = None
    labels: list[Label] = Field(default=[], description="Most probable first (classification).")
    objects: list[FoundObject] = Field(default=[], description="Best first.")
    regions: list[Region] = Field(default=[], description="Largest first.")
    drawing: str | None = Field(default=None, description="Name of the artifact with the answer drawn into the image.")
    error: ImageError | None = None


class PredictionReport(Message):
    """Answers in the order of the images."""

    task_type: TaskType
    class_names: list[str]
    threshold: float
    images: list[ImagePrediction]
