"""Archives that nobody should send, each with the code of what must be found in it."""

import io
import json
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from dataset_api import coins, png, zipped
from PIL import Image

Make = Callable[[], bytes]
YAML = b"train: images\nnames: [coin]\n"
BOX = b"0 0.5 0.5 0.5 0.5\n"
ENTRY, END = b"PK\x01\x02", b"PK\x05\x06"


@dataclass(frozen=True)
class Hostile:
    """One archive."""

    name: str
    make: Make
    code: str


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
    """Its wide record lies beyond every disk's end."""
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
    """Its comment unpacks to more than any comment needs."""
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


TRAVERSAL = {
    "parent": "../up.txt",
    "parents": "set/../../../../etc/up.txt",
    "absolute": "/etc/up.txt",
    "backslash": "..\\..\\up.txt",
    "mixed": "set/..\\../up.txt",
    "drive": "C:\\up.txt",
    "drive slash": "c:/up.txt",
    "share": "\\\\server\\share\\up.txt",
    "only parent": "..",
    "line feed": "set/a\nb.txt",
    "escape": "set/a\x1b[2J.txt",
    "delete": "set/a\x7f.txt",
    "padded": " ../up.txt",
}
KINDS = {
    "symbolic link": stat.S_IFLNK,
    "device": stat.S_IFBLK,
    "terminal": stat.S_IFCHR,
    "pipe": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
}


def names() -> list[Hostile]:
    """Names and kinds of entries."""
    return [
        *(Hostile(name, lambda path=path: with_entry(path), "path_leaves_root") for name, path in TRAVERSAL.items()),
        *(Hostile(name, lambda k=k: with_entry("set/x", b"/etc", kind=k), "archive_link") for name, k in KINDS.items()),
        Hostile("nul", with_nul, "path_leaves_root"),
        Hostile("5,000 characters", lambda: with_entry("set/" + "n" * 5000 + ".txt"), "name_too_long"),
        Hostile("256 bytes", lambda: with_entry("set/" + "가" * 86), "name_too_long"),
        Hostile("1,000 folders", lambda: with_entry("d/" * 1000 + "x.txt"), "name_too_long"),
        Hostile("case", lambda: with_entry("set/images/0.PNG"), "archive_name_clash"),
        Hostile("file and folder", lambda: with_entry("set/data.yaml/x.txt"), "archive_name_clash"),
        Hostile("folder and file", lambda: with_entry("set/IMAGES"), "archive_name_clash"),
        Hostile(
            "composed differently", lambda: zipped({"é/a.png": png(), "e\u0301/a.png": png()}), "archive_name_clash"
        ),
    ]


def packing() -> list[Hostile]:
    """What is wrong with the archive itself."""
    good = coins()
    return [
        Hostile("ratio", lambda: with_entry("set/zeros", bytes(20_000_000)), "archive_bomb"),
        Hostile("overlap", overlapping, "archive_bomb"),
        Hostile("quoted overlap", quoted, "archive_bomb"),
        Hostile("nested", lambda: with_entry("set/inner.zip", coins()), "archive_nested"),
        Hostile("nested tar", lambda: with_entry("set/inner.tar.GZ"), "archive_nested"),
        Hostile("encrypted", encrypted, "archive_encrypted"),
        Hostile("wrong checksum", wrong_crc, "archive_broken"),
        Hostile("cut in the middle", lambda: good[: len(good) // 2], "archive_broken"),
        Hostile("cut at the end", lambda: good[:-1], "archive_broken"),
        Hostile("says less", lambda: patched(good, ENTRY, 24, struct.pack("<I", 3)), "archive_broken"),
        Hostile("says more", lambda: patched(good, ENTRY, 24, struct.pack("<I", 900_000)), "archive_broken"),
        Hostile("packed beyond the end", lambda: patched(good, ENTRY, 20, struct.pack("<I", 2**31)), "archive_bomb"),
        Hostile("unknown method", lambda: patched(good, ENTRY, 10, struct.pack("<H", 99)), "archive_broken"),
        Hostile("wide: too long a list", lambda: zip64(1, 2**60, 0), "archive_too_many_files"),
        Hostile("wide: list elsewhere", lambda: zip64(6, 500, 2**62), "archive_broken"),
        Hostile("wide: record elsewhere", zip64_far, "archive_broken"),
        Hostile("garbage before", lambda: b"\x7fELF" * 100 + good, "archive_broken"),
        Hostile("picture before", lambda: png() + good, "archive_broken"),
        Hostile("page behind", lambda: good + b"<html><script>alert(1)</script></html>", "archive_broken"),
        Hostile("no byte", lambda: b"", "archive_broken"),
        Hostile("no file", lambda: zipped({}), "dataset_empty"),
        Hostile("folders only", lambda: zipped({"set/": b"", "set/images/": b""}), "dataset_empty"),
        Hostile("tar", lambda: b"images/a.png".ljust(257, b"\0") + b"ustar\x0000" + bytes(10_000), "archive_broken"),
        Hostile("gzip", lambda: b"\x1f\x8b\x08" + bytes(100), "archive_broken"),
        Hostile("rar", lambda: b"Rar!\x1a\x07\x01\x00" + bytes(100), "archive_broken"),
        Hostile("picture", png, "archive_broken"),
        Hostile("page", lambda: b"<!doctype html><title>404</title>", "archive_broken"),
        Hostile("nothing of ours", lambda: zipped({"readme.txt": b"hello"}), "format_unknown"),
    ]


def pictures() -> list[Hostile]:
    """Images, of which each data set has one that is wrong."""
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    wrong = {
        "cut off": broken_jpeg(),
        "drawing": svg,
        "page as picture": b"<html></html>",
        "empty picture": b"",
        "archive as picture": coins(),
        "comment bomb": text_bomb_png(),
        "picture without pixels": huge_png(0, 0),
    }
    return [
        *(Hostile(n, lambda c=c: yolo_with("images__a_DOT_png", c), "image_unreadable") for n, c in wrong.items()),
        Hostile("pixel bomb", lambda: yolo_with("images__a_DOT_png", huge_png()), "image_too_large"),
    ]


def labels() -> list[Hostile]:
    """What stands in text files."""
    config = {
        "code": b"names: !!python/object/apply:os.system ['touch /tmp/up']\ntrain: images\n",
        "aliases": alias_bomb(),
        "brackets": b"[" * 5000,
        "not UTF-8 but YAML": b"train: images\nnames: [\x01\x02]\n",
    }
    odd = {"control character": rb'names: ["a\0b"]', "5,000 letters": b"names: [" + b"n" * 5000 + b"]"}
    line = {
        "letters": b"x" * 5000,
        "nan": b"0 nan 0.5 0.5 0.5",
        "huge": b"0 1e999 0.5 0.5 0.5",
        "nul": b"0 0.5\0 1 1 1",
    }
    return [
        *(Hostile(n, lambda c=c: yolo_with("data_DOT_yaml", c), "config_malformed") for n, c in config.items()),
        *(
            Hostile(n, lambda c=c: yolo_with("data_DOT_yaml", b"train: images\n" + c), "class_name_malformed")
            for n, c in odd.items()
        ),
        *(Hostile(n, lambda c=c: yolo_with("labels__a_DOT_txt", c), "label_malformed") for n, c in line.items()),
        Hostile("absolute", lambda: yolo_with("data_DOT_yaml", YAML.replace(b"images", b"/etc")), "path_leaves_root"),
        Hostile(
            "list leads out",
            lambda: yolo(data_DOT_yaml=b"train: l.txt\nnames: [a]", l_DOT_txt=b"/etc/passwd"),
            "path_leaves_root",
        ),
        Hostile(
            "list with nul",
            lambda: yolo(data_DOT_yaml=b"train: l.txt\nnames: [a]", l_DOT_txt=b"a\0.png"),
            "image_missing",
        ),
        Hostile("one line of 20 MB", lambda: yolo_with("labels__a_DOT_txt", b"1" * 20_000_000), "file_too_large"),
        Hostile("not UTF-8", lambda: yolo_with("labels__a_DOT_txt", b"\xff\xfe0\0"), "file_unreadable"),
        Hostile("deep", lambda: coco('{"images": [' + "[" * 100_000), "annotations_malformed"),
        Hostile("no JSON", lambda: coco('{"images": ['), "json_malformed"),
        Hostile("NaN box", lambda: coco(coco_text("[NaN, 1, 5, 5]")), "label_malformed"),
        Hostile("infinite width", lambda: coco(coco_text(width="Infinity")), "annotations_malformed"),
        Hostile("endless width", lambda: coco(coco_text(width="1e999")), "annotations_malformed"),
        Hostile("5,000 digits", lambda: coco(coco_text(width="9" * 5000)), "annotations_malformed"),
        Hostile("400 digits", lambda: coco(coco_text(f"[{'9' * 400}, 1, 5, 5]")), "label_malformed"),
        Hostile("list as id", lambda: coco(coco_text(image_id="[1]")), "annotations_malformed"),
        Hostile("half a character", lambda: coco(coco_text(name=json.dumps("\ud800"))), "class_name_malformed"),
        Hostile("laughs", lambda: voc(laughs(), "&l9;"), "xml_malformed"),
        Hostile(
            "entity", lambda: voc('<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>', "&e;"), "xml_malformed"
        ),
        Hostile("no XML", lambda: voc("<annotation>"), "xml_malformed"),
        Hostile("nothing in the box", lambda: voc("", ""), "label_malformed"),
    ]


HOSTILE = [*names(), *packing(), *pictures(), *labels()]
