"""Archives that nobody should send, and the files in them."""

import io
import json
import struct
import zipfile
import zlib

from PIL import Image

from support.dataset_api import coins, png, zipped

YAML = b"train: images\nnames: [coin]\n"
BOX = b"0 0.5 0.5 0.5 0.5\n"
ENTRY, END = b"PK\x01\x02", b"PK\x05\x06"


def with_entry(name: str, content: bytes = b"x", *, kind: int = 0) -> bytes:
    """A good data set and one more entry."""
    buffer = io.BytesIO(coins())
    entry = zipfile.ZipInfo("placeholder")
    entry.filename = name
    entry.external_attr = (kind | 0o644) << 16
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def with_nul() -> bytes:
    return with_entry("set/Xup.txt").replace(b"set/Xup.txt", b"set/\0up.txt")


def patched(content: bytes, signature: bytes, offset: int, value: bytes, *, is_last: bool = True) -> bytes:
    """`value` written `offset` bytes after the last (or first) `signature`."""
    at = (content.rindex(signature) if is_last else content.index(signature)) + offset
    return content[:at] + value + content[at + len(value) :]


def yolo(**files: bytes) -> bytes:
    """A YOLO data set of two images in which some files are replaced or added."""
    base = {"data.yaml": YAML, "images/a.png": png(), "images/b.png": png((1, 2, 3))}
    base |= {"labels/a.txt": BOX, "labels/b.txt": BOX}
    return zipped(base | {name.replace("__", "/").replace("_DOT_", "."): content for name, content in files.items()})


def yolo_with(name: str, content: bytes) -> bytes:
    return yolo(**{name: content})


def coco(text: bytes | str) -> bytes:
    content = text if isinstance(text, bytes) else text.encode()
    return zipped({"annotations.json": content, "images/a.png": png(), "images/b.png": png((1, 2, 3))})


def coco_text(bbox: str = "[1, 1, 5, 5]", *, image_id: str = "1", width: str = "40", name: str = '"coin"') -> str:
    """A COCO file of two images in which a value is written in some other way."""
    text = json.dumps({
        "images": [
            {"id": "IMAGE", "file_name": "a.png", "width": "WIDTH", "height": 20},
            {"id": 2, "file_name": "b.png", "width": 40, "height": 20},
        ],
        "annotations": [{"id": 1, "image_id": "IMAGE", "category_id": 1, "bbox": "BOX"}],
        "categories": [{"id": 1, "name": "NAME"}],
    })  # fmt: skip
    for key, value in {"IMAGE": image_id, "WIDTH": width, "BOX": bbox, "NAME": name}.items():
        text = text.replace(f'"{key}"', value)
    return text


def coco_mask(counts: list[int] | str) -> str:
    """A COCO file whose object has these runs."""
    mask = json.dumps({"size": [20, 40], "counts": counts})
    return coco_text().replace('"category_id"', f'"segmentation": {mask}, "category_id"')


def voc(head: str, name: str = "coin", more: str = "") -> bytes:
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
    xml = f"{head}<annotation>{more}<object><name>{name}</name>{box}</object></annotation>".encode()
    return zipped({"Annotations/a.xml": xml, "JPEGImages/a.png": png(), "JPEGImages/b.png": png()})


def laughs() -> str:
    entities = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    return f'<!DOCTYPE lolz [<!ENTITY l0 "lol">{entities}]>'


def overlapping() -> bytes:
    """Fifield's: the second file's place is that of the first."""
    content = zipped({"images/a.png": png(), "images/b.png": png()})
    first = struct.pack("<I", 0)
    return patched(content, ENTRY, 42, first)


def quoted() -> bytes:
    """Likewise: the second file's header lies inside the first one's content."""
    inner = zipped({"b": b"\0" * 1000})
    local = inner[: inner.index(ENTRY)]
    content = zipped({"a": local, "b": b"\0" * 1000})
    at = content.index(local)
    return patched(content, ENTRY, 42, struct.pack("<I", at))


def encrypted() -> bytes:
    content = patched(coins(), b"PK\x03\x04", 6, b"\x01", is_last=False)
    return patched(content, ENTRY, 8, b"\x01", is_last=False)


def wrong_crc() -> bytes:
    content = coins()
    at = content.index(b"\x89PNG") + 20
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def zip64(total_entries: int, directory_bytes: int, at: int) -> bytes:
    """A wide record that lies about the list of files."""
    content = coins()
    end = content.rindex(END)
    record = struct.pack(
        "<4sQHHIIQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, total_entries, total_entries, directory_bytes, at
    )
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    narrow = END + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return content[:end] + record + locator + narrow


def zip64_far() -> bytes:
    """Archive whose wide record lies beyond every disk's end."""
    content = coins()
    end = content.rindex(END)
    return content[:end] + struct.pack("<4sIQI", b"PK\x06\x07", 0, 2**64 - 1, 1) + content[end:]


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def huge_png(width: int = 60_000, height: int = 60_000) -> bytes:
    """Few bytes that say they are many pixels."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + png_chunk(b"IEND", b"")


def text_bomb_png() -> bytes:
    """Picture whose comment unpacks to more than any comment needs."""
    good = png()
    comment = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(30_000_000), 9))
    return good[:33] + comment + good[33:]


def broken_jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((400, 400), 90).save(buffer, "JPEG")
    return buffer.getvalue()[:-4000]


def alias_bomb() -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
    return ("\n".join(lines) + "\nnames: *a9\ntrain: images\n").encode()
