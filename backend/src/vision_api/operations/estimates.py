"""Estimates of the memory, time and disk that a training needs: rough arithmetic on the model's card.

docs/after-training.md says how rough; a dry run measures instead.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vision_api.operations.schemas import Estimates, Finding
from vision_api.training_jobs.settings import JobSettings
from vision_contracts import DeviceInfo, ModelDetail

BYTES = 4
"""Size of a 32-bit number."""
ACTIVATION_BYTES_PER_GMAC = 22e6
"""Activations of one image that are kept for the backward pass."""
PROCESS_BYTES = 700e6
"""Memory of a process that has imported the framework and has no model yet."""
PASSES = 3
"""A training step costs three forward passes."""
LOADING_GMACS = 0.8
"""Arithmetic that takes as long as reading and augmenting one image."""
GMACS_PER_SECOND = {"cpu": 80.0, "mps": 500.0, "cuda": 4000.0}
"""Throughput of a kind of device; a known training replaces it."""
EPOCH_SECONDS = 1.0
"""Fixed part of every epoch: begin, validate, write a checkpoint."""
STATES = {"sgd": 1, "rmsprop": 1, "muon": 1}
"""Numbers that an optimizer keeps for each weight; the Adam family keeps two."""
KEPT_CHECKPOINTS = 6
"""The best, the newest, and those on their way to storage."""
USABLE = 0.9
"""Usable part of a device's memory."""


@dataclass(frozen=True)
class KnownTime:
    """The measured epoch time of an earlier training, and the time that these estimates expect of it."""

    seconds: float
    expected_seconds: float
    basis: Literal["earlier_training", "similar_training"]


@dataclass(frozen=True)
class TrainingPlan:
    """The settings of a training, and its surroundings."""

    card: ModelDetail
    settings: JobSettings
    train_images: int | None
    dataset_bytes: int | None
    device: DeviceInfo | None
    known_time: KnownTime | None

    @property
    def gmacs(self) -> float:
        """Billions of multiply-adds for one image of the training's size."""
        return gmacs_of(self.card, self.settings.hyperparameters)

    @property
    def images_per_device(self) -> int | None:
        """Number of training images for each device; None if it is not known."""
        return self.train_images // self.settings.params.num_devices if self.train_images is not None else None

    @property
    def epoch_seconds(self) -> float | None:
        """Expected epoch time, scaled by the known training if there is one; None without a number of images."""
        if self.images_per_device is None:
            return None
        expected = expected_epoch_seconds(self.images_per_device, self.gmacs, self.device)
        return expected * self.known_time.seconds / self.known_time.expected_seconds if self.known_time else expected

    def memory_bytes(self, batch_size: int) -> int:
        """Return the memory of a training step with this batch size."""
        states = 2 + STATES.get(self.settings.params.optimizer, 2)
        weights = self.card.params * BYTES * states
        return int(PROCESS_BYTES + weights + batch_size * self.gmacs * ACTIVATION_BYTES_PER_GMAC)

    def largest_batch(self, memory_bytes: int) -> int:
        """Return the largest power of two that fits into the memory; 0 if not even one image fits."""
        image_bytes = self.gmacs * ACTIVATION_BYTES_PER_GMAC
        images = (USABLE * memory_bytes - self.memory_bytes(0)) / max(image_bytes, 1.0)
        return 1 << int(math.log2(images)) if images >= 1 else 0


def gmacs_of(card: ModelDetail, hyperparameters: Mapping[str, Any]) -> float:
    """Return the billions of multiply-adds for one image of the requested size, or else of the card's."""
    known = card.gmacs if card.gmacs is not None else card.params / 5e6
    requested = hyperparameters.get("image_size", "auto")
    return known * ((requested if isinstance(requested, int) else card.input_size) / card.input_size) ** 2


def expected_epoch_seconds(images: float, gmacs: float, device: DeviceInfo | None) -> float:
    """Return the epoch time by arithmetic alone."""
    kind = device.name.partition(":")[0] if device is not None else "cpu"
    rate = GMACS_PER_SECOND.get(kind, GMACS_PER_SECOND["cpu"])
    return EPOCH_SECONDS + images * (PASSES * gmacs + LOADING_GMACS) / rate


def estimate(plan: TrainingPlan) -> Estimates:
    """Estimate a training. Values that need the number of images are None if it is not known."""
    batch, epochs = plan.settings.params.batch_size, plan.settings.params.epochs
    epoch_seconds = plan.epoch_seconds
    checkpoint = plan.card.params * BYTES * (1 + STATES.get(plan.settings.params.optimizer, 2))
    known = plan.device.memory_bytes if plan.device is not None else None
    return Estimates(
        device=plan.device.name if plan.device is not None else None,
        device_memory_bytes=known,
        memory_bytes=plan.memory_bytes(batch),
        largest_batch_size=plan.largest_batch(known) if known else None,
        steps_per_epoch=math.ceil(plan.images_per_device / batch) if plan.images_per_device is not None else None,
        epoch_seconds=round(epoch_seconds, 1) if epoch_seconds is not None else None,
        total_seconds=round(epoch_seconds * epochs, 1) if epoch_seconds is not None else None,
        time_basis=plan.known_time.basis if plan.known_time is not None else "model_card",
        checkpoint_bytes=checkpoint,
        disk_bytes=checkpoint * KEPT_CHECKPOINTS + 2 * (plan.dataset_bytes or 0),
    )


def check(plan: TrainingPlan, estimates: Estimates) -> Sequence[Finding]:
    """Check a training against its estimates. Findings propose settings that fix them."""
    found: list[Finding] = []
    batch = plan.settings.params.batch_size
    if plan.device is None:
        message = f"The {plan.settings.framework} training service does not answer: the experiment would wait for it."
        found.append(Finding(code="service_unavailable", severity="warning", field="framework", message=message))
    largest = estimates.largest_batch_size
    if largest is not None and largest < batch:
        message = f"A batch of {batch} needs about {estimates.memory_bytes / 1e9:.1f} GB, more than the device has."
        proposal = {"batch_size": largest} if largest else None
        advice = f" {largest} should fit." if largest else " Not even one image fits: choose a smaller model."
        severity = "warning" if largest else "error"
        found.append(
            Finding(
                code="out_of_memory", severity=severity, field="batch_size", message=message + advice, changes=proposal
            )
        )
    if plan.train_images is not None and plan.train_images < batch:
        message = f"There are only {plan.train_images} images to train on: each epoch is a single, smaller batch."
        changes = {"batch_size": max(1, plan.train_images // 4)}
        found.append(
            Finding(code="batch_too_large", severity="warning", field="batch_size", message=message, changes=changes)
        )
    limit = plan.settings.timeout_seconds
    if limit is not None and estimates.total_seconds is not None and estimates.total_seconds > limit:
        message = f"It needs about {estimates.total_seconds:.0f} s, more than its limit of {limit:.0f} s."
        changes = {"timeout_seconds": round(2 * estimates.total_seconds)}
        found.append(
            Finding(code="timed_out", severity="warning", field="timeout_seconds", message=message, changes=changes)
        )
    return found
