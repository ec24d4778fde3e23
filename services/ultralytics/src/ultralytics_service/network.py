"""A trained network in the kit's form, for predictions, exports and evaluations."""

from typing import Any

from trainer_kit.inference import Description, Preprocessing, TorchNetwork
from trainer_kit.trainer import OperationRun
from ultralytics_service.checkpoint import Checkpoint, load_checkpoint
from ultralytics_service.config import CommonHyperparameters
from ultralytics_service.devices import choose_device, library_versions
from ultralytics_service.kinds import Kind
from ultralytics_service.library import torch
from ultralytics_service.weights import rebuild_model

NMS_OVERLAP = 0.7
"""Overlap from which the library suppresses predictions; some heads need no suppression."""
BACKGROUND = "background"
LICENSE_NOTE = (
    "The architecture and, where it was used, the pretrained weights are Ultralytics', under AGPL-3.0 or a "
    "licence that is bought from them."
)

Run = OperationRun[CommonHyperparameters]


class Outputs(torch.nn.Module):
    """The network with outputs in the kit's form, as a tuple in the order of `names`."""

    def __init__(self, network: Any, kind: Kind) -> None:
        super().__init__()
        self.network, self.kind = network, kind
        self.head = network.model[-1]
        self.head.export = True  # decoded outputs alone
        self.is_end_to_end = bool(getattr(self.head, "end2end", False))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        own = {
            Kind.CLASSIFY: ("probabilities",),
            Kind.SEMANTIC: ("scores",),
            Kind.SEGMENT: ("boxes", "scores", "coefficients", "prototypes"),
            Kind.POSE: ("boxes", "scores", "keypoints"),
        }
        return own.get(self.kind, ("boxes", "scores"))

    def forward(self, pixels: Any) -> tuple[Any, ...]:
        """(n, 3, height, width) from 0 to 1."""
        found = self.network(pixels)
        match self.kind:
            case Kind.CLASSIFY:
                return (found,)
            case Kind.SEMANTIC:
                return (torch.cat([torch.zeros_like(found), found], 1) if found.shape[1] == 1 else found,)
            case Kind.RTDETR:
                height, width = pixels.shape[-2:]
                boxes, scores, _ = self._split(found, is_top=True)
                return corners(boxes) * torch.tensor([width, height, width, height], device=pixels.device), scores
            case Kind.SEGMENT:
                boxes, scores, coefficients = self._boxes(found[0])
                return boxes, scores, coefficients, found[1]
            case Kind.OBB:
                boxes, scores, angle = self._boxes(found)
                return torch.cat([boxes, angle], -1), scores
            case Kind.POSE:
                boxes, scores, points = self._boxes(found)
                points = points.unflatten(-1, tuple(self.head.kpt_shape))
                seen = points if points.shape[-1] == 3 else torch.cat([points, torch.ones_like(points[..., :1])], -1)
                return boxes, scores, seen
            case _:
                boxes, scores, _ = self._boxes(found)
                return boxes, scores

    def _boxes(self, found: Any) -> tuple[Any, Any, Any]:
        """Boxes, scores of every class, and what else the head gives for a box."""
        if self.is_end_to_end:
            return self._split(found, is_top=True)
        boxes, scores, extra = self._split(found.transpose(1, 2), is_top=False)
        return boxes if self.kind is Kind.OBB else corners(boxes), scores, extra

    def _split(self, found: Any, *, is_top: bool) -> tuple[Any, Any, Any]:
        """`is_top`: the best boxes, each with one score and its class."""
        count = self.head.nc
        if not is_top:
            return found[..., :4], found[..., 4 : 4 + count], found[..., 4 + count :]
        classes = torch.arange(count, device=found.device)
        return found[..., :4], found[..., 4:5] * (found[..., 5:6] == classes), found[..., 6:]


def corners(boxes: Any) -> Any:
    """Return x1, y1, x2, y2 of centre, width and height."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], -1)


def load_network(run: Run) -> TorchNetwork:
    """Load the network with averaged weights, which validation has used. Raises TrainingError."""
    saved = load_checkpoint(run.checkpoint)
    module = Outputs(rebuild_model(saved), Kind(saved.kind))
    return TorchNetwork(torch, module, module.network, module.names, _describe(run, saved, module), choose_device(run))


def _describe(run: Run, saved: Checkpoint, module: Outputs) -> Description:
    names, background = labels_of(module.kind, [saved.names[index] for index in range(len(saved.names))])
    needs_nms = module.kind not in (Kind.CLASSIFY, Kind.SEMANTIC, Kind.RTDETR) and not module.is_end_to_end
    return Description(
        framework="ultralytics",
        model_name=saved.model_name,
        task_type=module.kind.task_type,
        class_names=names,
        preprocessing=_preprocessing(saved, module.kind),
        nms_overlap=NMS_OVERLAP if needs_nms else None,
        background=background,
        single_class=getattr(run.hyperparameters, "single_cls", False),
        keypoint_names=list(saved.keypoint_names),
        skeleton=list(saved.skeleton),
        versions=library_versions(),
        license=run.card.license,
        license_note=LICENSE_NOTE,
    )


def labels_of(kind: Kind, names: list[str]) -> tuple[list[str], int | None]:
    """Return the labels of the outputs, and which of them is the background. The library has that as its last class,
    and leaves it out beside a single one.
    """
    if kind is not Kind.SEMANTIC:
        return names, None
    return (names, len(names) - 1) if len(names) > 1 else ([BACKGROUND, *names], 0)


def _preprocessing(saved: Checkpoint, kind: Kind) -> Preprocessing:
    """Return the preprocessing with which the library validates."""
    size = (saved.image_size, saved.image_size)
    if kind is Kind.CLASSIFY:
        return Preprocessing(size=size, resize="shorter_side", resize_to=saved.image_size)
    return Preprocessing(size=size, resize="squash" if kind is Kind.RTDETR else "letterbox")
