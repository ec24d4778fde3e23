"""Results of a prediction: the artifact `predictions.json`. Coordinates are pixels of the upright image."""

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
    """One object. The optional parts depend on the task."""

    class_id: int
    label: str
    score: float
    box: tuple[float, float, float, float] = Field(description="Left, top, right, bottom.")
    mask: Mask | None = None
    keypoints: list[FoundKeypoint] | None = None
    corners: list[float] | None = Field(default=None, description="x, y of the four corners of an oriented box.")


class Region(Message):
    """All pixels of one class (semantic segmentation)."""

    class_id: int
    label: str
    share: float = Field(description="Share of the image's pixels, 0 to 1.")
    mask: Mask


class ImageError(Message):
    """The reason why an image has no prediction; the others have theirs."""

    code: str = Field(description="`image_broken` or `image_too_large`.")
    message: str


class ImagePrediction(Message):
    """The prediction for one image."""

    name: str
    width: int | None = None
    height: int | None = None
    labels: list[Label] = Field(default=[], description="Most probable first (classification).")
    objects: list[FoundObject] = Field(default=[], description="Best first.")
    regions: list[Region] = Field(default=[], description="Largest first.")
    drawing: str | None = Field(default=None, description="Artifact with the prediction drawn into the image.")
    error: ImageError | None = None


class PredictionReport(Message):
    """Predictions in the order of the images."""

    task_type: TaskType
    class_names: list[str]
    threshold: float
    images: list[ImagePrediction]
