"""timm's own parts in a plain script: prints a line after the first optimizer step, and ends after the epochs."""

import sys
import time

import torch
from timm import create_model
from timm.data import create_dataset, create_loader
from timm.optim import create_optimizer_v2


def main(folder: str, epochs: int) -> None:
    dataset = create_dataset("folder", root=folder, split="train", is_training=True)
    loader = create_loader(
        dataset, input_size=(3, 32, 32), batch_size=16, is_training=True, num_workers=0, use_prefetcher=False,
        device=torch.device("cpu"),
    )  # fmt: skip
    model = create_model("resnet10t", num_classes=10)
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-3)
    for _ in range(epochs):
        started = time.monotonic()
        for images, targets in loader:
            loss = torch.nn.functional.cross_entropy(model(images), targets)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            print("step", flush=True)
        print("epoch", time.monotonic() - started, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
