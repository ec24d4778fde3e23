"""Writer of ImageFolder, for classification."""

from pathlib import Path

from data_kit.dataset import Dataset
from data_kit.writers.image_files import place_image


def write_imagefolder(dataset: Dataset, folder: Path) -> Path:
    """Write `<split>/<class>/…` below `folder`, which it returns. Every class has its folder in every split."""
    for split, samples in dataset.splits.items():
        for name in dataset.class_names:
            (folder / split / name).mkdir(parents=True, exist_ok=True)
        for index, sample in enumerate(samples):
            if sample.class_id is not None:
                place_image(sample.image, folder / split / dataset.class_names[sample.class_id], index)
    return folder
