"""The bundle: a zip archive with everything needed to use a trained network with onnxruntime, numpy and Pillow."""

import json
import zipfile
from pathlib import Path
from typing import Any

from trainer_kit.inference import portable
from vision_contracts import TaskType
from vision_contracts.hub_card import HubCard, HubData

REQUIREMENTS = "numpy>=2\nonnxruntime>=1.20\npillow>=11\n"

EXAMPLE = '''\
"""Predictions for images: `python predict.py photo.jpg …` prints them as JSON.

Install requirements.txt first. portable.py prepares images for the network and decodes its outputs.
"""

import json
import sys
from pathlib import Path

import onnxruntime
from PIL import Image, ImageOps

import portable

FOLDER = Path(__file__).parent
MODEL = json.loads((FOLDER / "model.json").read_text(encoding="utf-8"))


def predict(session: onnxruntime.InferenceSession, path: str) -> dict:
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    pixels, placement = portable.prepare(image, MODEL["preprocessing"])
    names = [output.name for output in session.get_outputs()]
    outputs = session.run(names, {"image": pixels[None]})
    return portable.decode(MODEL, {name: value[0] for name, value in zip(names, outputs)}, placement)


if __name__ == "__main__":
    session = onnxruntime.InferenceSession(FOLDER / "model.onnx", providers=["CPUExecutionProvider"])
    print(json.dumps({path: predict(session, path) for path in sys.argv[1:]}, indent=1))
'''

USAGE = """\
```sh
pip install -r requirements.txt
python predict.py photo.jpg
```

Images are prepared as `model.json` says: {width} x {height} pixels, {resize}.
`portable.py` does it, and reads the network's outputs. No other library is needed."""


def write_bundle(path: Path, onnx_path: Path, facts: dict[str, Any]) -> None:
    """Write the archive. `facts` (see `exporting.model_facts`) become `model.json` and the text of `README.md`."""
    facts = facts | {"license_note": license_note(facts)}
    texts = {
        "model.json": json.dumps(facts, indent=1, ensure_ascii=False),
        "README.md": describe(facts).render(),
        "predict.py": EXAMPLE,
        "requirements.txt": REQUIREMENTS,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(onnx_path, "model.onnx", compress_type=zipfile.ZIP_STORED)  # weights do not get smaller
        archive.write(Path(portable.__file__), "portable.py")
        for name, text in texts.items():
            archive.writestr(name, text)


def license_note(facts: dict[str, Any]) -> str:
    """Terms of use of the weights, for those who pass them on."""
    if facts["license_note"]:
        return facts["license_note"]
    name = facts["license"]
    licence = f"The architecture's published weights are under {name}" if name else "No licence of the weights is known"
    return f"{licence}; what they were trained on here has terms of its own."


def describe(facts: dict[str, Any]) -> HubCard:
    """Return the card of an exported model."""
    data, (height, width) = facts["dataset"], facts["preprocessing"]["size"]
    return HubCard(
        title=facts["name"] or facts["model_name"],
        task_type=TaskType(facts["task_type"]),
        framework=facts["framework"],
        model_name=facts["model_name"],
        library="onnx",
        license=facts["license"],
        license_note=facts["license_note"],
        metrics={f"val/{name}": value for name, value in facts["metrics"].items()},
        data=HubData(data["name"] or None, data["digest"]),
        usage=USAGE.format(width=width, height=height, resize=facts["preprocessing"]["resize"]),
        class_names=facts["class_names"],
        model={"Input size": f"{width} x {height} pixels"},
        training=facts["versions"],
    )
