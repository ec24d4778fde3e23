"""The library's Trainer in a plain script, for its four tasks; its results are measured by the platform's evaluator
where the library has none of its own.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from huggingface_measure import measure
from PIL import Image
from torchvision import tv_tensors
from torchvision.ops import box_convert
from torchvision.transforms import v2
from transformers import (
    AutoModelForImageClassification,
    AutoModelForObjectDetection,
    AutoModelForSemanticSegmentation,
    AutoModelForUniversalSegmentation,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from data_kit.masks import fill_polygons
from huggingface_service.architectures import find_architecture

MODELS = {
    "image_classification": AutoModelForImageClassification,
    "object_detection": AutoModelForObjectDetection,
    "semantic_segmentation": AutoModelForSemanticSegmentation,
    "instance_segmentation": AutoModelForUniversalSegmentation,
}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Images(torch.utils.data.Dataset):
    """Reader of an ImageFolder or COCO, with the platform's default augmentation."""

    def __init__(self, run: dict, data: Path, split: str) -> None:
        self.task, size = run["task_type"], run["image_size"]
        self.items = folder_items(data, split) if self.task == "image_classification" else coco_items(data, split)
        flip = run["hyperparameters"].get("horizontal_flip", 0.5)
        shown = [v2.RandomResizedCrop((size, size), scale=(0.6, 1.0)), v2.RandomHorizontalFlip(flip),
                 v2.ColorJitter(0.1, 0.1, 0.1)] if split == "train" else [v2.Resize((size, size))]  # fmt: skip
        normal = [v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True), v2.Normalize(MEAN, STD)]
        self.transform = v2.Compose([*shown, *normal])

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> dict:
        path, target = self.items[index]
        picture = Image.open(path).convert("RGB")
        example = {"image": tv_tensors.Image(v2.functional.pil_to_tensor(picture))}
        if self.task == "image_classification":
            return self.transform(example) | {"label": target}
        if self.task == "semantic_segmentation":
            example["mask"] = tv_tensors.Mask(torch.from_numpy(draw(picture.size, target)))
            return self.transform(example)
        kinds = {"classes": torch.tensor([label for _, label, _ in target])}
        if self.task == "instance_segmentation":
            masks = [draw(picture.size, [(box, 0, outlines)]) for box, _, outlines in target]
            example["masks"] = tv_tensors.Mask(torch.from_numpy(np.array(masks)))
            return self.transform(example) | kinds
        boxes = torch.tensor([box for box, _, _ in target], dtype=torch.float32).reshape(-1, 4)
        example["boxes"] = tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=picture.size[::-1])
        return self.transform(example) | kinds


def folder_items(data: Path, split: str) -> list:
    names = sorted(path.name for path in (data / "train").iterdir())
    return [(path, names.index(path.parent.name)) for path in sorted((data / split).glob("*/*"))]


def coco_items(data: Path, split: str) -> list:
    labels = json.loads((data / f"annotations/instances_{split}.json").read_text())
    numbers = {category["id"]: index for index, category in enumerate(labels["categories"])}
    objects: dict = {image["id"]: [] for image in labels["images"]}
    for one in labels["annotations"]:
        x, y, width, height = one["bbox"]
        outlines = one.get("segmentation", [])
        objects[one["image_id"]].append(([x, y, x + width, y + height], numbers[one["category_id"]], outlines))
    found = {path.name: path for path in (data / "images" / split).iterdir()}
    return [(found[Path(image["file_name"]).name], objects[image["id"]]) for image in labels["images"]]


def draw(size: tuple, objects: list) -> np.ndarray:
    """Return the label map of an image, by the same rule on both sides: a pixel is in an outline if its centre is."""
    canvas = np.zeros(size[::-1], dtype=np.uint8)
    for _, label, outlines in sorted(objects, key=lambda one: -np.prod(np.subtract(one[0][2:], one[0][:2]))):
        canvas[fill_polygons(outlines, *size)] = label + 1
    return canvas


def collate(examples: list) -> dict:
    batch: dict = {"pixel_values": torch.stack([example["image"] for example in examples])}
    if "label" in examples[0]:
        batch["labels"] = torch.tensor([example["label"] for example in examples])
    elif "mask" in examples[0]:
        batch["labels"] = torch.stack([example["mask"] for example in examples]).long()
    elif "masks" in examples[0]:
        batch["mask_labels"], batch["class_labels"] = [], []
        for example in examples:
            seen = example["masks"].flatten(1).any(1)
            batch["mask_labels"].append(example["masks"].as_subclass(torch.Tensor)[seen].float())
            batch["class_labels"].append(example["classes"][seen])
    else:
        side = batch["pixel_values"].shape[-1]
        batch["labels"] = []
        for example in examples:
            boxes = example["boxes"].as_subclass(torch.Tensor).clamp(0, side)
            seen = ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(1)
            relative = box_convert(boxes[seen], "xyxy", "cxcywh") / side
            batch["labels"].append({"class_labels": example["classes"][seen], "boxes": relative})
    return batch


class Validate(TrainerCallback):
    def __init__(self, measured) -> None:
        self.measured, self.values, self.seconds = measured, [], []

    def on_epoch_begin(self, *_, **__) -> None:
        self.started = time.monotonic()

    def on_epoch_end(self, *_, model, **__) -> None:
        self.values.append(self.measured(model))
        self.seconds.append(time.monotonic() - self.started)
        model.train()


def main(run: dict, data: Path, folder: Path) -> None:
    set_seed(run["seed"])
    training, validation = (Images(run, data, split) for split in ("train", "val"))
    if run["task_type"] == "image_classification":
        classes = len(list((data / "train").iterdir()))
    else:
        classes = len(json.loads((data / "annotations/instances_train.json").read_text())["categories"])
    names = ["background"] * (run["task_type"] == "semantic_segmentation") + [str(number) for number in range(classes)]
    # The checkpoint's shape, which the hub would give.
    config = find_architecture(run["model"]).fitted_config(
        run["task_type"], class_names=names, image_size=run["image_size"]
    )
    model = MODELS[run["task_type"]].from_config(config)
    is_detector = run["task_type"] in ("object_detection", "instance_segmentation")
    arguments = TrainingArguments(
        str(folder / "output"), num_train_epochs=run["epochs"], per_device_train_batch_size=run["batch_size"],
        learning_rate=run["learning_rate"], weight_decay=1e-4 if is_detector else 0.01,
        max_grad_norm=0.1 if is_detector else 1.0, lr_scheduler_type="cosine", warmup_steps=0.1, use_cpu=True,
        save_strategy="no", report_to=[], disable_tqdm=True, remove_unused_columns=False, seed=run["seed"],
    )  # fmt: skip
    batches = torch.utils.data.DataLoader(validation, run["batch_size"], collate_fn=collate)
    watch = Validate(lambda trained: measure(trained, run, batches, classes))
    Trainer(model, arguments, train_dataset=training, data_collator=collate, callbacks=[watch]).train()
    print(json.dumps({"value": float(max(watch.values)), "epochs_seconds": watch.seconds}), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
