"""Softmax regression, trained as every framework trains: data, model, loop, report."""

import errno
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_kit import Sample, Split, load_image
from trainer_kit.evaluation import ClassificationEvaluator, History
from trainer_kit.testing.fake_adapter import FakeHyperparameters
from trainer_kit.trainer import STATE_IS_TRIMMED, NetworkFacts, Stopped, TrainingRun, write_final_report
from vision_contracts import LogLevel, metric_names

Floats = NDArray[np.float64]


@dataclass
class Model:
    """Weights (features, classes), whose last feature is always 1, and the optimizer's velocity."""

    weights: Floats
    velocity: Floats
    step: int = 0
    class_names: tuple[str, ...] = ()

    def save(self, path: Path, history: History) -> None:
        partial = path.with_suffix(".partial.npz")
        epochs, names = json.dumps(history.epochs), np.array(self.class_names)
        np.savez(partial, weights=self.weights, step=self.step, epochs=epochs, class_names=names)
        partial.replace(path)

    @classmethod
    def load(cls, path: Path, state: Path | None = None) -> "Model":
        with np.load(path, allow_pickle=False) as saved:
            weights, names = saved["weights"], tuple(saved["class_names"].tolist())
            velocity = np.zeros_like(weights) if state is None else np.load(state, allow_pickle=False)
            return cls(weights, velocity, int(saved["step"]), names)


def train(run: TrainingRun[FakeHyperparameters]) -> None:
    """Train until the last epoch, a request to stop, or the configured misbehaviour."""
    params, settings = run.spec.params, run.hyperparameters
    device = run.choose_device(cuda_devices=0, has_mps=False)
    train_x, train_y = read_samples(run.dataset["train"], settings.image_size)
    val_x, val_y = read_samples(run.dataset["val"], settings.image_size)
    model = build_model(run, train_x.shape[1])
    steps_per_epoch = math.ceil(len(train_x) / params.batch_size)
    run.start(
        device=device,
        num_classes=run.dataset.num_classes,
        steps_per_epoch=steps_per_epoch,
        resume_step=model.step,
        versions={"numpy": np.__version__},
    )
    for epoch in range(model.step // steps_per_epoch, params.epochs):
        order = np.random.default_rng([params.seed, epoch]).permutation(len(train_x))
        for batch in np.array_split(order, steps_per_epoch)[model.step % steps_per_epoch :]:
            loss = train_step(model, train_x[batch], train_y[batch], params.learning_rate)
            model.step += 1
            loss = misbehave(run, model.step, loss)
            run.report_step(
                model.step, {metric_names.TRAIN_LOSS: loss, metric_names.LEARNING_RATE: params.learning_rate}
            )
            time.sleep(settings.step_seconds)
            if run.stop_requested():
                save(run, model, epoch)
                raise Stopped
        loss, evaluator = validate(run, model.weights, val_x, val_y, run.dataset["val"])
        run.report_epoch(epoch + 1, {metric_names.VAL_LOSS: loss}, evaluator)
        save(run, model, epoch + 1)
    write_final_report(run, lambda path: FakeBestModel(run, Model.load(path).weights))
    run.finish()


def read_samples(samples: Sequence[Sample], size: int) -> tuple[Floats, NDArray[np.int64]]:
    """Features (n, pixels + 1), pixels from -0.5 to 0.5 and a constant 1, and class ids (n,)."""
    pixels = [
        np.asarray(load_image(sample.image).resize((size, size)), dtype=np.float64).ravel() / 255 for sample in samples
    ]
    features = np.array([np.append(one - 0.5, 1.0) for one in pixels])
    return features, np.array([sample.class_id for sample in samples], dtype=np.int64)


def build_model(run: TrainingRun[FakeHyperparameters], features: int) -> Model:
    """Return a model with new weights, with those of another job, or in the state of the checkpoint to resume."""
    if run.resume_from is not None:
        with np.load(run.resume_from, allow_pickle=False) as saved:
            run.history.restore({int(epoch): values for epoch, values in json.loads(str(saved["epochs"])).items()})
        if run.resume_state is None:
            run.log(STATE_IS_TRIMMED, LogLevel.WARNING)
        return Model.load(run.resume_from, run.resume_state)
    if run.initial_checkpoint is not None:
        weights = Model.load(run.initial_checkpoint).weights
    else:
        weights = np.random.default_rng(run.spec.params.seed).normal(0, 0.01, (features, run.dataset.num_classes))
    return Model(weights, np.zeros_like(weights), class_names=run.dataset.class_names)


def train_step(model: Model, x: Floats, y: NDArray[np.int64], learning_rate: float) -> float:
    """Take a step of gradient descent with momentum on the cross-entropy, and return the loss."""
    probabilities = softmax(x @ model.weights)
    loss = float(-np.log(probabilities[np.arange(len(y)), y] + 1e-12).mean())
    probabilities[np.arange(len(y)), y] -= 1
    model.velocity = 0.5 * model.velocity - learning_rate / len(x) * x.T @ probabilities
    model.weights = model.weights + model.velocity
    return loss


def validate(
    run: TrainingRun[FakeHyperparameters], weights: Floats, x: Floats, y: NDArray[np.int64], samples: Sequence[Sample]
) -> tuple[float, ClassificationEvaluator]:
    """Return the loss, and an evaluator with the predictions."""
    probabilities = softmax(x @ weights)
    evaluator = ClassificationEvaluator(run.dataset.class_names)
    evaluator.add(samples, probabilities)
    return float(-np.log(probabilities[np.arange(len(y)), y] + 1e-12).mean()), evaluator


@dataclass
class FakeBestModel:
    """The fake model as a `trainer_kit.trainer.BestModel`."""

    run: TrainingRun[FakeHyperparameters]
    weights: Floats

    def evaluate(self, split: Split) -> ClassificationEvaluator:
        samples = self.run.dataset[split]
        x, y = read_samples(samples, self.run.hyperparameters.image_size)
        return validate(self.run, self.weights, x, y, samples)[1]

    def describe(self) -> NetworkFacts:
        return NetworkFacts("cpu", "float64", self.run.hyperparameters.image_size, self.weights.size)

    def compute(self, batch_size: int) -> None:
        softmax(np.zeros((batch_size, len(self.weights))) @ self.weights)


def softmax(scores: Floats) -> Floats:
    exponents = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponents / exponents.sum(axis=1, keepdims=True)


def save(run: TrainingRun[FakeHyperparameters], model: Model, epoch: int) -> None:
    path = run.folder / "last.npz"
    model.save(path, run.history)
    state = run.folder / "state.npy"
    np.save(state, model.velocity)
    run.save_checkpoint(path, step=model.step, epoch=epoch, state=state)


def misbehave(run: TrainingRun[FakeHyperparameters], step: int, loss: float) -> float:
    """Fail as configured at the configured step, else return the loss."""
    settings = run.hyperparameters
    if (step, run.world.rank) != (settings.misbehave_at_step, settings.misbehaving_process):
        return loss
    if settings.misbehaviour == "nan":
        return math.nan
    MISBEHAVIOURS[settings.misbehaviour]()
    return loss


def crash() -> None:
    raise ValueError("the wheels came off")


def exit_without_message() -> None:
    os.write(sys.stderr.fileno(), b"something printed last\n")
    os._exit(3)


def hang() -> None:
    """Ignore requests to stop and SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1)


def run_out_of_memory() -> None:
    raise MemoryError


def fill_the_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def leave_traces() -> None:
    """Change state that a process has once: its environment, its modules, its global generator of random numbers."""
    found = sum(("TRACES" in os.environ, "traces" in sys.modules, os.getcwd() in sys.path))
    sys.stdout.write(f"traces found: {found}; {np.random.random()}\n")
    os.environ["TRACES"] = "1"
    sys.modules["traces"] = sys.modules[__name__]
    sys.path.append(os.getcwd())


MISBEHAVIOURS: dict[str, Callable[[], object]] = {
    "none": lambda: None,
    "crash": crash,
    "disk_full": fill_the_disk,
    "exit": exit_without_message,
    "flood": lambda: sys.stdout.write("".join(f"line {number}\n" for number in range(20_000))),
    "hang": hang,
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "leave_traces": leave_traces,
    "out_of_memory": run_out_of_memory,
}
