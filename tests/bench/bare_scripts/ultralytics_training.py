"""The library's own training: prints a line after the first optimizer step, and ends after the epochs."""

import sys

from ultralytics import YOLO


def main(folder: str, epochs: int) -> None:
    model = YOLO("yolov8n-cls.yaml")
    model.add_callback("on_train_batch_end", lambda _: print("step", flush=True))
    model.train(
        data=folder, epochs=epochs, imgsz=32, batch=16, optimizer="AdamW", lr0=1e-3, device="cpu", workers=0,
        plots=False, verbose=False,
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
