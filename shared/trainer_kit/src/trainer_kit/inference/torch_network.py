"""A network of torch. The kit itself never imports torch: the framework passes the library in."""

import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer_kit.inference.network import Arrays, Compute, Description
from trainer_kit.trainer import TrainingError
from vision_contracts import EndReason

OPSET = 18
EXAMPLES = 2
"""Batch size of traces: with one image, some architectures treat the batch size as a constant."""


class TorchNetwork:
    """A `Network` of a torch module that takes a batch of images and returns a tuple of outputs, called `names`.

    `inner` is the part of the module whose state dict has the weights by the names of its own library.
    """

    def __init__(
        self, torch: Any, module: Any, inner: Any, names: Sequence[str], description: Description, device: str
    ) -> None:
        self._torch = torch
        self._names = tuple(names)
        self.module = module.eval().to(device)
        self._inner = inner
        self.description = description
        self.device = device

    def run(self, pixels: NDArray[np.float32]) -> Arrays:
        return self._compute(self.module)(pixels)

    def write_onnx(self, path: Path) -> None:
        """Export with torch's older exporter: it needs no further library, and a tenth of the newer one's time."""
        axes = {name: {0: "batch"} for name in ("image", *self._names)}
        with self._writing("ONNX"):
            self._torch.onnx.export(
                self.module, (self._example(),), path, input_names=["image"], output_names=list(self._names),
                dynamic_axes=axes, opset_version=OPSET, dynamo=False,
            )  # fmt: skip

    def write_torchscript(self, path: Path) -> Compute:
        with self._writing("TorchScript"), self._torch.no_grad():
            traced = self._torch.jit.trace(self.module, self._example(), check_trace=False)
            traced.save(str(path))
            return self._compute(self._torch.jit.load(str(path), map_location=self.device))

    def tensors(self) -> dict[str, NDArray[Any]]:
        return {name: value.detach().cpu().numpy() for name, value in self._inner.state_dict().items()}

    def _compute(self, module: Callable[[Any], Sequence[Any]]) -> Compute:
        def compute(pixels: NDArray[np.float32]) -> Arrays:
            with self._torch.inference_mode():
                outputs = module(self._torch.from_numpy(pixels).to(self.device))
            return {name: value.float().cpu().numpy() for name, value in zip(self._names, outputs, strict=True)}

        return compute

    def _example(self) -> Any:
        return self._torch.zeros(EXAMPLES, 3, *self.description.preprocessing.size, device=self.device)

    @contextmanager
    def _writing(self, format: str) -> "Generator[None]":
        """Convert any error of an exporter to a TrainingError with `export_not_supported`."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # tracing warns, and the exporter warns of itself
                yield
        except Exception as error:
            text = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
            raise TrainingError(
                EndReason.EXPORT_NOT_SUPPORTED,
                f"{self.description.model_name} cannot be written as {format}: {text}. Choose another format, such as "
                "safetensors.",
            ) from error
