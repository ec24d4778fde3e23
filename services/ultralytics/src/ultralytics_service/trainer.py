"""The library's trainers, made to report to a job, to keep safe checkpoints and to resume exactly.

The loop, the losses, the augmentation and the validation stay the library's.
"""

import time
from typing import Any

from trainer_kit.trainer import STATE_IS_TRIMMED, Stopped, TrainingError, TrainingRun
from ultralytics_service.architectures import Architecture
from ultralytics_service.checkpoint import Checkpoint, save_checkpoint
from ultralytics_service.config import CommonHyperparameters
from ultralytics_service.devices import library_versions
from ultralytics_service.image_size import choose_image_size
from ultralytics_service.kinds import Kind
from ultralytics_service.library import (
    BaseTrainer,
    ClassificationTrainer,
    DetectionTrainer,
    OBBTrainer,
    PoseTrainer,
    RTDETRTrainer,
    SegmentationTrainer,
    SemanticSegmentationTrainer,
    torch,
    unwrap_model,
)
from ultralytics_service.loader import EpochLoader, keep_order, mosaic_buffer, refill_mosaic_buffer, share_out
from ultralytics_service.log_messages import log_early_end, log_epoch, log_start
from ultralytics_service.metrics import training_values
from ultralytics_service.parallel import gather, mean_of, parallelize
from ultralytics_service.validation import validate
from ultralytics_service.weights import copy_weights
from vision_contracts import EndReason, LogLevel, metric_names

_ENOUGH = 3
"""Out-of-memory retries, each with half the batch size, after which the library gives up."""


class JobMixin(BaseTrainer):
    """Changes that a job makes in any of the library's trainers."""

    def __init__(
        self,
        run: TrainingRun[CommonHyperparameters],
        architecture: Architecture,
        source: torch.nn.Module | Checkpoint | None,
        resume_from: Checkpoint | None,
        arguments: dict[str, Any],
    ) -> None:
        self.run = run
        self.architecture = architecture
        self.source = source
        self.resume_from = resume_from
        super().__init__(overrides=arguments)
        self.add_callback("on_train_start", JobMixin.announce)
        self.add_callback("on_train_epoch_start", JobMixin.begin_epoch)
        self.add_callback("on_train_batch_start", JobMixin.stop_if_asked)
        self.add_callback("on_train_batch_end", JobMixin.report_batch)
        self.add_callback("on_train_epoch_end", JobMixin.end_epoch)
        self.add_callback("on_val_batch_start", lambda _: self.stop_if_asked())

    # Called by the library while it sets up ---------------------------------------------------------------------

    def get_dataset(self) -> dict[str, Any]:
        """Return the library's data set; its errors get a reason."""
        try:
            return super().get_dataset()
        except RuntimeError as error:
            raise TrainingError(EndReason.BAD_DATA, str(error)) from error

    def setup_model(self) -> dict[str, Any] | None:
        """Builds the network for this data set, and fills it."""
        self.model = self.get_model(cfg=self.architecture.read(), verbose=False)
        if self.resume_from:
            self.model.load_state_dict(self.resume_from.model or self.resume_from.ema)
        elif self.source is not None:
            copy_weights(self.model, self.source, self.run.log)
        stride = max(int(self.model.stride.max()), 32)
        requested = self.resume_from.image_size if self.resume_from else self.run.hyperparameters.image_size
        self.args.imgsz = choose_image_size(requested, self.run.dataset, self.architecture.kind, stride)
        self.resume = self.resume_from is not None
        return {"epoch": self.resume_from.epoch - 1} if self.resume_from else None

    def get_dataloader(self, dataset_path: str, batch_size: int = 16, rank: int = 0, mode: str = "train") -> Any:
        """Return the library's loader, seeded by the epoch; its errors get a reason."""
        try:
            loader = super().get_dataloader(dataset_path, batch_size, rank, mode)
        except (FileNotFoundError, AssertionError, RuntimeError, ValueError) as error:
            raise TrainingError(EndReason.BAD_DATA, str(error)) from error
        if mode == "val":
            keep_order(loader)  # which the library would shuffle
        elif self.run.world.size > 1:
            share_out(loader, self.run.world, self._epoch_seed)
        return EpochLoader(loader, self.run.world, self._epoch_seed)

    def resume_training(self, ckpt: dict[str, Any] | None) -> None:
        """Resume also a training whose epochs are complete, which the library refuses: its report may be missing."""
        if self.resume_from and self.resume_from.epoch >= self.epochs:
            self._load_checkpoint_state(ckpt)
            self.start_epoch = self.resume_from.epoch
        else:
            super().resume_training(ckpt)

    def _load_checkpoint_state(self, ckpt: dict[str, Any] | None) -> None:  # noqa: ARG002 - ours is `resume_from`
        saved = self.resume_from
        if saved is None:
            return
        if saved.optimizer is None:
            self.run.log(STATE_IS_TRIMMED, LogLevel.WARNING)
        else:
            for theirs, ours in zip(saved.optimizer["param_groups"], self.optimizer.param_groups, strict=True):
                theirs["fused"] = ours.get("fused")  # this device decides, not the one that trained before
            self.optimizer.load_state_dict(saved.optimizer)
        if saved.scaler:
            self.scaler.load_state_dict(saved.scaler)
        self.ema.ema.load_state_dict(saved.ema)
        self.ema.updates = saved.ema_updates
        history = self.run.history
        history.restore(saved.history)
        self.best_fitness = self.stopper.best_fitness = history.best[history.primary_metric]
        self.stopper.best_epoch = saved.best_epoch
        refill_mosaic_buffer(self.train_loader.dataset, saved.mosaic_buffer_of(self.run.world.rank))

    def _setup_train(self) -> None:
        """Set up as the library does, for all processes that train together."""
        super()._setup_train()
        self.model = parallelize(self.model, self.architecture.kind, self.run.world)

    def set_up(self) -> None:
        """Builds everything that training would need, and trains nothing."""
        self._setup_train()
        self.epoch = self.start_epoch
        self.announce()

    # Called by the library while it trains ----------------------------------------------------------------------

    def announce(self) -> None:
        """Log and report the start, once everything is built."""
        steps = len(self.train_loader)
        log_start(self.run, self)
        self.run.start(
            device=str(self.device),
            num_classes=min(self.data["nc"], self.run.dataset.num_classes),  # the library adds a background class
            steps_per_epoch=steps,
            resume_step=self.start_epoch * steps,
            versions=library_versions(),
        )

    def begin_epoch(self) -> None:
        """Start the epoch's clock, which counts training and validation."""
        self.epoch_started = time.monotonic()
        self.step = self.epoch * len(self.train_loader)
        self._oom_retries = _ENOUGH  # the batch size is the user's: out of memory is an error, never a smaller batch

    def stop_if_asked(self) -> None:
        """Raise Stopped if a stop is requested. Training resumes from the last epoch's checkpoint."""
        if self.run.stop_requested():
            raise Stopped

    def report_batch(self) -> None:
        """Report a batch, which is one optimizer step."""
        self.step += 1
        if self.run.should_report(self.step):
            losses = mean_of(self.loss_items, self.run.world)
            rate = self.optimizer.param_groups[1]["lr"]  # the first group of MuSGD has three times the rate
            self.run.report_step(self.step, {**training_values(losses), metric_names.LEARNING_RATE: rate})

    def end_epoch(self) -> None:
        """Gather losses and mosaic buffers, before the first process validates alone."""
        self.tloss = mean_of(self.tloss, self.run.world)
        self.mosaic_buffers = gather(mosaic_buffer(self.train_loader.dataset), self.run.world)

    def validate(self) -> tuple[dict[str, float], float | None]:
        """Validate in the first process alone, by `validation.validate`."""
        if not self.run.world.is_main:
            return {}, None
        return validate(self.run, self, self.architecture.kind, started_at=self.epoch_started)

    def _handle_nan_recovery(self, epoch: int) -> bool:  # noqa: ARG002
        """A loss that is not a number has ended the job already."""
        return False

    def save_model(self) -> bool:
        """Save an epoch that is trained and validated."""
        if not self.run.world.is_main:
            return False
        epoch = self.epoch + 1
        state = self.last.with_name("state.pt")
        save_checkpoint(self.snapshot(epoch), self.last, state)
        self.run.save_checkpoint(self.last, step=self.step, epoch=epoch, state=state)
        log_epoch(self.run, self, epoch)
        return True

    def final_eval(self) -> None:
        """Log an early end. The library would validate the best epoch again, whose numbers are known."""
        log_early_end(self.run, self)

    # Checkpoints ------------------------------------------------------------------------------------------------

    def snapshot(self, epoch: int) -> Checkpoint:
        """The state after `epoch` epochs."""
        model = unwrap_model(self.model)
        return Checkpoint(
            model_name=self.architecture.name,
            kind=str(self.architecture.kind),
            names=dict(self.data["names"]),
            keypoint_shape=tuple(self.data["kpt_shape"]) if "kpt_shape" in self.data else None,
            image_size=self.args.imgsz,
            yaml=dict(model.yaml),
            epoch=epoch,
            step=self.step,
            model=model.state_dict(),
            ema=self.ema.ema.state_dict(),
            ema_updates=self.ema.updates,
            optimizer=self.optimizer.state_dict(),
            scaler=self.scaler.state_dict(),
            best_epoch=self.stopper.best_epoch,
            history=self.run.history.epochs,
            mosaic_buffer=self.mosaic_buffers[0],
            other_mosaic_buffers=self.mosaic_buffers[1:],
            keypoint_names=tuple(self.data.get("kpt_names", {}).get(0, ())),
            skeleton=tuple((one, other) for one, other in self.data.get("skeleton", ())),
        )

    def _epoch_seed(self) -> int:
        return (self.run.spec.params.seed * 1_000_003 + self.epoch) % 2**32


# Their names must not hold the word "Trainer": the library attaches loggers of other products to those that do.


class DetectJob(JobMixin, DetectionTrainer):
    """YOLO detection."""


class RtdetrJob(JobMixin, RTDETRTrainer):
    """RT-DETR detection."""


class SegmentJob(JobMixin, SegmentationTrainer):
    """YOLO instance segmentation."""


class PoseJob(JobMixin, PoseTrainer):
    """YOLO pose estimation."""


class ObbJob(JobMixin, OBBTrainer):
    """YOLO oriented boxes."""


class SemanticJob(JobMixin, SemanticSegmentationTrainer):
    """YOLO semantic segmentation."""


class ClassifyJob(JobMixin, ClassificationTrainer):
    """YOLO and ResNet classification."""


TRAINERS: dict[Kind, type[JobMixin]] = {
    Kind.DETECT: DetectJob,
    Kind.RTDETR: RtdetrJob,
    Kind.SEGMENT: SegmentJob,
    Kind.POSE: PoseJob,
    Kind.OBB: ObbJob,
    Kind.SEMANTIC: SemanticJob,
    Kind.CLASSIFY: ClassifyJob,
}
