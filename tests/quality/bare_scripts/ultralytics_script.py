"""The library's own training with the same settings."""

import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

os.environ.update(YOLO_OFFLINE="true", YOLO_VERBOSE="false", YOLO_AUTOINSTALL="false")
os.environ.setdefault("YOLO_CONFIG_DIR", tempfile.mkdtemp())

from ultralytics import YOLO, settings

METRICS = {
    "image_classification": "metrics/accuracy_top1",
    "object_detection": "metrics/mAP50(B)",
    "instance_segmentation": "metrics/mAP50(M)",
    "pose_estimation": "metrics/mAP50(P)",
    "oriented_object_detection": "metrics/mAP50(B)",
}


def main(run: dict, data: Path, folder: Path) -> None:
    settings.update({name: False for name, value in settings.items() if value is True})
    shutil.copytree(data, folder / "data", symlinks=True, copy_function=os.symlink)  # written to by the library
    is_classifier = run["task_type"] == "image_classification"
    if not is_classifier:
        description = (data / "data.yaml").read_text()
        (folder / "data/data.yaml").unlink()
        (folder / "data/data.yaml").write_text(f"path: {folder / 'data'}\n{description}")
    values, seconds, started = [], [], [0.0]
    model = YOLO(f"{run['model']}.yaml")
    model.add_callback("on_train_epoch_start", lambda _: started.__setitem__(0, time.monotonic()))

    def note(trainer) -> None:
        values.append(measured(trainer, run["task_type"]))
        seconds.append(time.monotonic() - started[0])

    model.add_callback("on_fit_epoch_end", note)
    flips = {"fliplr": run["hyperparameters"].get("horizontal_flip", 0.5)}
    looks = {"auto_augment": None, "erasing": 0.0} if is_classifier else {}
    model.train(
        data=str(folder / "data") if is_classifier else str(folder / "data/data.yaml"), project=str(folder),
        epochs=run["epochs"], imgsz=run["image_size"], batch=run["batch_size"], nbs=run["batch_size"],
        optimizer="AdamW", lr0=run["learning_rate"], momentum=0.9, warmup_epochs=0.02 * run["epochs"],
        warmup_bias_lr=0.0, patience=0, seed=run["seed"], device="cpu", workers=0, plots=False, verbose=False,
        **flips, **looks,
    )  # fmt: skip
    print(json.dumps({"value": max(values[: run["epochs"]]), "epochs_seconds": seconds[: run["epochs"]]}), flush=True)


def measured(trainer, task_type: str) -> float:
    if task_type in METRICS:
        return float(trainer.metrics[METRICS[task_type]])
    pixels = trainer.validator.confusion_matrix.matrix  # the library's own mean leaves out the background
    alike = pixels.diagonal()
    return float((alike / (pixels.sum(0) + pixels.sum(1) - alike)).mean())


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
