"""The library's Trainer in a plain script: prints a line after the first optimizer step, and ends after the epochs."""

import sys

import torch
from torchvision import transforms
from torchvision.datasets import ImageFolder
from transformers import AutoConfig, AutoModelForImageClassification, Trainer, TrainerCallback, TrainingArguments


class Tell(TrainerCallback):
    def on_step_end(self, *_args, **_kwargs) -> None:
        print("step", flush=True)


def collate(samples: list) -> dict:
    return {
        "pixel_values": torch.stack([image for image, _ in samples]),
        "labels": torch.tensor([y for _, y in samples]),
    }


def main(folder: str, epochs: int) -> None:
    transform = transforms.Compose([transforms.Resize((32, 32)), transforms.ToTensor()])
    config = AutoConfig.for_model("mobilenet_v2", num_labels=10, image_size=32)
    arguments = TrainingArguments(
        "output", num_train_epochs=epochs, per_device_train_batch_size=16, learning_rate=1e-3, use_cpu=True,
        save_strategy="no", report_to=[], disable_tqdm=True,
    )  # fmt: skip
    dataset = ImageFolder(f"{folder}/train", transform)
    model = AutoModelForImageClassification.from_config(config)
    Trainer(model, arguments, train_dataset=dataset, data_collator=collate, callbacks=[Tell()]).train()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
