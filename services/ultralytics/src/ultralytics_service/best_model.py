"""The best checkpoint, measured at the end of a training."""

from pathlib import Path

from data_kit import Split
from trainer_kit.evaluation import Evaluator
from trainer_kit.trainer import NetworkFacts
from ultralytics_service.checkpoint import load_checkpoint
from ultralytics_service.library import torch
from ultralytics_service.trainer import JobMixin
from ultralytics_service.validation import collect_predictions


class BestModel:
    """The best checkpoint, with averaged weights as in validation. Satisfies `trainer_kit.trainer.BestModel`."""

    def __init__(self, trainer: JobMixin, checkpoint: Path) -> None:
        self.trainer = trainer
        self.model = trainer.ema.ema
        self.model.load_state_dict(load_checkpoint(checkpoint).ema)
        self.model.float().eval()
        self.is_half = trainer.device.type != "cpu" and trainer.amp

    @torch.inference_mode()
    def evaluate(self, split: Split) -> Evaluator:
        """Validate as the library does while training, without its loss and its own measures."""
        trainer = self.trainer
        validator = trainer.get_validator()
        size = trainer.test_loader.batch_size
        validator.dataloader = trainer.get_dataloader(trainer.data[split], size, rank=-1, mode="val")
        validator.device, validator.data = trainer.device, trainer.data
        validator.args.quantize = 16 if self.is_half else None
        predictions = collect_predictions(trainer.run, trainer.architecture.kind, validator, split)
        validator.init_metrics(self.model)
        for batch in validator.dataloader:
            trainer.stop_if_asked()
            shown = validator.preprocess(batch)
            predictions.take(validator.postprocess(self._forward(shown["img"])), shown)
        return predictions.evaluator

    def describe(self) -> NetworkFacts:
        return NetworkFacts(
            device=str(self.trainer.device),
            precision="float16" if self.is_half else "float32",
            image_size=self.trainer.args.imgsz,
            parameters=sum(parameter.numel() for parameter in self.model.parameters()),
        )

    @torch.inference_mode()
    def compute(self, batch_size: int) -> None:
        side = self.trainer.args.imgsz
        self._forward(torch.zeros(batch_size, 3, side, side, device=self.trainer.device))
        if self.trainer.device.type == "cuda":
            torch.cuda.synchronize(self.trainer.device)

    def _forward(self, images: torch.Tensor) -> object:
        with torch.autocast(self.trainer.device.type, dtype=torch.float16, enabled=self.is_half):
            return self.model(images)
