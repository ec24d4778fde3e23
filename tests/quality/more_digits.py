"""`more_digits.py DIGITS_TINY NEW`: the same training images, and the 1,297 other digits of scikit-learn to validate.

A hundred validation images tell two trainings apart only when one is far better. Executed by the Python of the trainer
kit, which has scikit-learn in its tests.
"""

import shutil
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

TAKEN = 50
"""Number of images of each class that digits_tiny already has, which are the first ones."""
SIDE = 32


def main(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source / "train", partial / "train")
    digits = load_digits()
    seen: Counter[int] = Counter()
    for pixels, label in zip(digits.images, digits.target.tolist(), strict=True):
        seen[label] += 1
        if seen[label] > TAKEN:
            path = partial / "val" / str(label) / f"{seen[label]:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture(pixels).save(path)
    partial.rename(target)


def picture(pixels: np.ndarray) -> Image.Image:
    """Convert pixels of shape (8, 8), from 0 to 16, into an image of the size and colours of digits_tiny."""
    image = Image.fromarray((pixels * 255 / 16).round().astype(np.uint8))
    return image.resize((SIDE, SIDE), Image.Resampling.BICUBIC).convert("RGB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
