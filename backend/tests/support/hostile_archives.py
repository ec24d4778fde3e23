"""Archives that nobody should send, each with the code of what must be found in it."""

import json
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass

from support.dataset_api import coins, png, zipped
from support.hostile_files import (
    ENTRY,
    YAML,
    alias_bomb,
    broken_jpeg,
    coco,
    coco_mask,
    coco_text,
    encrypted,
    huge_png,
    laughs,
    overlapping,
    patched,
    quoted,
    text_bomb_png,
    voc,
    with_entry,
    with_nul,
    wrong_crc,
    yolo,
    yolo_with,
    zip64,
    zip64_far,
)
from support.worst_images import png as large_png

Make = Callable[[], bytes]


@dataclass(frozen=True)
class Hostile:
    """One archive."""

    name: str
    make: Make
    code: str


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
    """Faults of the archive itself."""
    good = coins()
    return [
        Hostile("ratio", lambda: with_entry("set/zeros", bytes(20_000_000)), "archive_bomb"),
        Hostile("overlap", overlapping, "archive_bomb"),
        Hostile("quoted overlap", quoted, "archive_bomb"),
        Hostile("two names", lambda: good.replace(b"set/images/0.png", b"../images/u.png", 1), "archive_broken"),
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
        Hostile("81 megapixels", lambda: yolo_with("images__a_DOT_png", large_png(2, 16, 3, 9000)), "image_too_large"),
        Hostile("pixel bomb", lambda: yolo_with("images__a_DOT_png", huge_png()), "image_too_large"),
    ]


def labels() -> list[Hostile]:
    """Faults of text files."""
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
        Hostile("runs that wrap", lambda: coco(coco_mask([2**62] * 3 + [2**62 + 800])), "label_malformed"),
        Hostile("endless run", lambda: coco(coco_mask("o" * 1_000_000)), "label_malformed"),
        Hostile("laughs", lambda: voc(laughs(), "&l9;"), "xml_malformed"),
        Hostile(
            "entity", lambda: voc('<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>', "&e;"), "xml_malformed"
        ),
        Hostile("no XML", lambda: voc("<annotation>"), "xml_malformed"),
        Hostile("nothing in the box", lambda: voc("", ""), "label_malformed"),
    ]


HOSTILE = [*names(), *packing(), *pictures(), *labels()]
