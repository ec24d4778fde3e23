"""timm's own parts in a plain script: loader with its augmentation, optimizer, cosine schedule with warm-up."""

import json
import math
import sys
import time
from pathlib import Path

import torch
from timm import create_model, get_pretrained_cfg
from timm.data import create_dataset, create_loader, resolve_model_data_config
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler


def main(run: dict, data: Path, _folder: Path) -> None:
    torch.manual_seed(run["seed"])
    classes = len(list((data / "train").iterdir()))
    size = (3, run["image_size"], run["image_size"])
    flips = {"hflip": run["hyperparameters"].get("horizontal_flip", 0.5)}
    model = create_model(
        run["model"], num_classes=classes, **(cached_weights(run["model"]) if run["pretrained"] else {})
    )
    config = resolve_model_data_config(model)
    looks = {"mean": config["mean"], "std": config["std"], "interpolation": config["interpolation"]}
    plain = {"use_prefetcher": False, "num_workers": 0, "device": torch.device("cpu"), "input_size": size, **looks}
    training = create_loader(
        create_dataset("folder", root=str(data), split="train", is_training=True), batch_size=run["batch_size"],
        is_training=True, scale=(0.6, 1.0), color_jitter=0.1, **flips, **plain,
    )  # fmt: skip
    validation = create_loader(
        create_dataset("folder", root=str(data), split="val"), batch_size=run["batch_size"],
        crop_pct=config["crop_pct"], **plain,
    )  # fmt: skip
    optimizer = create_optimizer_v2(model, opt=run["optimizer"], lr=run["learning_rate"], weight_decay=5e-4)
    steps = len(training) * run["epochs"]
    warmup = round(0.05 * steps)
    schedule = CosineLRScheduler(
        optimizer, t_initial=steps - warmup, lr_min=run["learning_rate"] * 0.01, warmup_t=warmup,
        warmup_lr_init=run["learning_rate"] / max(1, warmup), t_in_epochs=False, warmup_prefix=True,
    )  # fmt: skip
    best, seconds, step = 0.0, [], 0
    for _ in range(run["epochs"]):
        started = time.monotonic()
        model.train()
        for images, targets in training:
            schedule.step_update(step)
            torch.nn.functional.cross_entropy(model(images), targets).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
        best = max(best, accuracy(model, validation))
        seconds.append(time.monotonic() - started)
    print(json.dumps({"value": best, "epochs_seconds": seconds}))


def cached_weights(name: str) -> dict:
    """Return arguments that load weights from the cache of torch.hub; timm would ask the Hugging Face hub first."""
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(get_pretrained_cfg(name).url).name
    return {"pretrained": True, "pretrained_cfg_overlay": {"file": str(file)}}


@torch.inference_mode()
def accuracy(model: torch.nn.Module, batches) -> float:
    model.eval()
    right = [bool(hit) for images, targets in batches for hit in model(images).argmax(1) == targets]
    return sum(right) / max(1, len(right)) if right else math.nan


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
