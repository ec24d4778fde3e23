"""Changes from one version to another."""

import io
import json
import zipfile
from typing import Any

import pytest
from support.dataset_api import DatasetApi, coins, png, zipped

pytestmark = pytest.mark.one_database


def folders(**classes: str) -> bytes:
    """An ImageFolder: for each path (`__` for `/`) the name of a picture, which is its content too."""
    files = {f"{path.replace('__', '/')}.png": png((ord(name), 0, 0)) for path, name in classes.items()}
    return zipped(files)


async def diff_of(api: DatasetApi, before: bytes, after: bytes, **fields: Any) -> dict[str, Any]:
    dataset = await api.ready(before)
    await api.upload_version(dataset["id"], after, **fields)
    await api.process()
    diff: dict[str, Any] = (await api.get(f"/{dataset['id']}/diff?from=1&to=2")).json()
    return {kind: value for kind, value in diff.items() if value}


async def test_nothing_changed_is_an_empty_diff(api: DatasetApi) -> None:
    assert await diff_of(api, coins(), coins()) == {}


async def test_an_image_moved_to_another_class_is_relabelled(api: DatasetApi) -> None:
    diff = await diff_of(
        api, folders(cat__a="a", cat__b="b", dog__c="c", dog__d="d"),
        folders(cat__a="a", dog__b="b", dog__c="c", dog__d="d"),
    )  # fmt: skip

    change = {"file": "dog/b.png", "file_before": "cat/b.png", "before": "cat", "after": "dog"}
    assert diff["relabelled"] == [change]
    assert diff["moved"] == [{**change, "before": None, "after": None}]
    assert diff.keys() == {"relabelled", "relabelled_count", "moved", "moved_count"}


async def test_an_image_of_another_name_is_moved_and_keeps_its_label(api: DatasetApi) -> None:
    diff = await diff_of(
        api, folders(cat__a="a", cat__b="b", dog__c="c", dog__d="d"),
        folders(cat__a="a", cat__new="b", dog__c="c", dog__d="d", dog__e="e"),
    )  # fmt: skip

    assert [(move["file_before"], move["file"]) for move in diff["moved"]] == [("cat/b.png", "cat/new.png")]
    assert diff["added"] == ["dog/e.png"]
    assert diff.keys() == {"moved", "moved_count", "added", "added_count"}


async def test_an_image_moved_to_another_split_changes_it(api: DatasetApi) -> None:
    rest = {"train__cat__a": "a", "train__dog__b": "b", "val__cat__c": "c", "val__dog__d": "d"}

    diff = await diff_of(api, folders(**rest, train__cat__e="e"), folders(**rest, val__cat__e="e"))

    (change,) = diff["split_changed"]
    assert (change["file"], change["before"], change["after"]) == ("val/cat/e.png", "train", "val")
    assert "relabelled" not in diff


async def test_another_box_is_a_relabelled_image_and_a_changed_label_file(api: DatasetApi) -> None:
    other = {"set/labels/4.txt": b"0 0.5 0.5 0.5 0.4\n0 0.1 0.1 0.1 0.1\n"}

    diff = await diff_of(api, coins(), zipped_over(coins(), other))

    assert diff["changed"] == ["labels/4.txt"]
    assert [(c["file"], c["before"], c["after"]) for c in diff["relabelled"]] == [("images/4.png", "1 coin", "2 coin")]


async def test_other_pixels_are_changed_content_and_no_other_label(api: DatasetApi) -> None:
    diff = await diff_of(api, coins(), zipped_over(coins(), {"set/images/1.png": png((9, 9, 9))}))

    assert diff == {"changed": ["images/1.png"], "changed_count": 1}


async def test_labels_in_one_coco_file_are_compared_by_image(api: DatasetApi) -> None:
    diff = await diff_of(api, coco(["cat", "dog"], 1), coco(["dog", "cat"], 2))

    assert diff["changed"] == ["labels.json"]
    assert [(c["file"], c["before"], c["after"]) for c in diff["relabelled"]] == [("b.png", "1 cat", "1 dog")]


def coco(names: list[str], dogs: int) -> bytes:
    """Images a, b and c; the last ones show a dog, the others a cat. The order of classes is that of `names`."""
    categories = [{"id": index, "name": name} for index, name in enumerate(names)]
    images = [{"id": i, "file_name": f"{name}.png"} for i, name in enumerate("abc")]
    annotations = [
        {"id": i, "image_id": i, "bbox": [1, 1, 9, 9], "category_id": names.index("dog" if i >= 3 - dogs else "cat")}
        for i in range(3)
    ]
    labels = json.dumps({"images": images, "annotations": annotations, "categories": categories})
    return zipped({f"{n}.png": png((i, 0, 0)) for i, n in enumerate("abc")} | {"labels.json": labels.encode()})


def zipped_over(archive: bytes, files: dict[str, bytes]) -> bytes:
    """The same archive with other files in some places."""
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        return zipped({name: packed.read(name) for name in packed.namelist()} | files)
