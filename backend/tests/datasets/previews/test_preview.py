"""Pictures of a data set with its labels, over HTTP."""

import io
import json
from itertools import product
from typing import Any

import pytest
from PIL import Image
from support.common import fields_of, problem_of
from support.dataset_api import URL, DatasetApi, coins, zipped

from data_kit.drawing import Color, color_of

pytestmark = pytest.mark.one_database

GRAY = (90, 90, 90)


def picture_file(size: tuple[int, int] = (40, 20), suffix: str = "PNG", orientation: int = 1) -> bytes:
    """`size` is that of the upright picture."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    stored = size if orientation < 5 else size[::-1]
    Image.new("RGB", stored, GRAY).save(buffer, suffix, exif=exif)
    return buffer.getvalue()


def yolo(label: str, config: bytes = b"names: [coin, cup]\n", **images: bytes) -> bytes:
    """The same label for each image."""
    files = {"data.yaml": b"train: images\n" + config}
    for name, content in images.items():
        stem, _, suffix = name.rpartition("_")
        files |= {f"images/{stem}.{suffix}": content, f"labels/{stem}.txt": label.encode()}
    return zipped(files)


async def preview(api: DatasetApi, dataset: dict[str, Any], query: str = "size=400") -> Image.Image:
    response = await api.get(f"/{dataset['id']}/preview?{query}")
    assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
    return Image.open(io.BytesIO(response.content)).convert("RGB")


def shows(picture: Image.Image, x: float, y: float, color: Color, radius: int = 2) -> bool:
    """Return whether the color is at that place, or right beside it; JPEG blurs."""
    around = product(range(-radius, radius + 1), repeat=2)
    pixels: list[Any] = [picture.getpixel((round(x) + dx, round(y) + dy)) for dx, dy in around]
    return any(max(abs(a - b) for a, b in zip(pixel, color, strict=True)) < 40 for pixel in pixels)


async def test_a_box_is_drawn_where_it_is_at_every_size_and_named_where_there_is_room(api: DatasetApi) -> None:
    dataset = await api.ready(yolo("1 0.5 0.5 0.4 0.6", a_png=picture_file(), b_png=picture_file()))

    for size in (32, 640, 2048):
        picture = await preview(api, dataset, f"split=val&index=0&size={size}")
        assert picture.size == (size, size // 2)
        for x, y in ((0.3, 0.25), (0.7, 0.25), (0.5, 0.8)):
            assert shows(picture, x * size, y * size / 2, color_of(1))
        assert shows(picture, size / 2, size / 4, GRAY)
    named = picture.crop((0, 0, 2048, 200))
    assert any(color == (0, 0, 0) for _, color in named.getcolors(2**20) or [])  # the name's letters


async def test_labels_lie_on_the_upright_picture(api: DatasetApi) -> None:
    """Labels are in shares of the upright image, as the kit's reader has them for trainers."""
    kinds = [("JPEG", turn) for turn in range(1, 9)] + [("PNG", 6), ("WEBP", 6), ("TIFF", 6)]
    images = {f"{kind}{turn}_{kind.lower()}": picture_file((1200, 600), kind, turn) for kind, turn in kinds}
    dataset = await api.ready(yolo("0 0.2 0.3 0.1 0.2", **images))

    assert dataset["splits"] == {"train": {"images": 9}, "val": {"images": 2}}
    for split, index in [("train", index) for index in range(9)] + [("val", 0), ("val", 1)]:
        picture = await preview(api, dataset, f"split={split}&index={index}&size=400")
        assert picture.size == (400, 200)
        assert shows(picture, 0.2 * 400, 0.4 * 200, color_of(0))
        assert not shows(picture, 0.8 * 400, 0.6 * 200, color_of(0))


async def test_a_mask_can_be_seen_through_and_a_turned_box_has_its_outline_only(api: DatasetApi) -> None:
    files = {"a_png": picture_file(), "b_png": picture_file()}
    mask = await api.ready(yolo("0 0.2 0.2 0.8 0.2 0.8 0.8 0.5 0.9 0.2 0.8", **files))
    turned = await api.ready(yolo("0 0.5 0.1 0.9 0.5 0.5 0.9 0.1 0.5", **files))

    inside = (await preview(api, mask)).getpixel((200, 100))
    assert isinstance(inside, tuple)
    assert GRAY[0] + 20 < inside[0] < color_of(0)[0] - 20
    picture = await preview(api, turned)
    assert shows(picture, 200, 100, GRAY)
    assert shows(picture, 0.7 * 400, 0.3 * 200, color_of(0))


async def test_keypoints_are_joined_by_the_skeleton_and_hidden_ones_are_hollow(api: DatasetApi) -> None:
    keypoints = {"bbox": [0, 0, 40, 20], "keypoints": [10, 10, 2, 30, 10, 1, 0, 0, 0]}
    content = {
        "images": [{"id": index, "file_name": f"{index}.png"} for index in (1, 2)],
        "annotations": [{"id": index, "image_id": index, "category_id": 1, **keypoints} for index in (1, 2)],
        "categories": [{"id": 1, "name": "fish", "keypoints": ["eye", "fin", "tail"], "skeleton": [[1, 2], [2, 3]]}],
    }
    files = {"labels.json": json.dumps(content).encode(), "1.png": picture_file(), "2.png": picture_file()}

    dataset = await api.ready(zipped(files))

    assert (dataset["keypoint_names"], dataset["skeleton"]) == (["eye", "fin", "tail"], [[0, 1], [1, 2]])
    picture = await preview(api, dataset)
    assert shows(picture, 100, 100, color_of(0), 0)
    assert shows(picture, 200, 100, color_of(0))
    assert shows(picture, 300, 100, (255, 255, 255), 0)
    assert not shows(picture, 4, 4, (255, 255, 255))  # pixels that are not labelled


async def test_an_image_has_the_name_of_its_class_and_a_thumbnail_a_frame_of_its_color(api: DatasetApi) -> None:
    files = {f"{name}/{index}.png": picture_file() for name in ("a", "b") for index in range(2)}
    dataset = await api.ready(zipped(files))

    large, small = await preview(api, dataset, "index=1"), await preview(api, dataset, "index=1&size=64")

    assert shows(large, 2, 2, color_of(1))
    assert shows(large, 200, 199, GRAY, 0)
    assert all(shows(small, x, y, color_of(1)) for x, y in ((2, 2), (32, 29), (61, 16)))


async def test_many_small_objects_are_named_once_in_a_corner(api: DatasetApi) -> None:
    label = "\n".join(f"0 {x / 30} {y / 30} 0.01 0.01" for x, y in product(range(1, 30), repeat=2))
    dataset = await api.ready(yolo(label, a_png=picture_file((200, 200)), b_png=picture_file((200, 200))))

    picture = await preview(api, dataset)

    assert shows(picture, 3, 397, color_of(0), 0)
    assert not shows(picture, 330, 3, color_of(0), 0)


async def test_what_no_picture_can_have_is_refused(api: DatasetApi) -> None:
    path = f"/{(await api.ready(coins()))['id']}/preview"

    for query in ("size=31", "size=2049", "size=x", "index=-1", "split=../x"):
        problem = problem_of(await api.get(f"{path}?{query}"), 422, "validation_failed")
        assert fields_of(problem) == [query.partition("=")[0]]
    for query in ("split=val&index=1", "split=test", "index=2000000000"):
        assert "`train` 4" in problem_of(await api.get(f"{path}?{query}"), 404, "not_found")["detail"]


async def test_a_picture_that_is_known_is_not_drawn_again(api: DatasetApi) -> None:
    dataset = await api.ready(coins())
    path = f"{URL}/{dataset['id']}/preview"
    first = await api.client.get(path, params={"version": 1}, headers=api.headers)
    assert first.headers["Cache-Control"] == "private, max-age=86400, immutable"
    known = api.headers | {"If-None-Match": first.headers["ETag"]}

    again = await api.client.get(path, headers=known)

    assert (again.status_code, again.content, again.headers["Cache-Control"]) == (304, b"", "private, no-cache")
    assert (await api.client.get(path, params={"size": 64}, headers=known)).status_code == 200
    await api.upload_version(dataset["id"], coins(label="0 0.5 0.5 0.5 0.4\n"))
    await api.process()
    assert (await api.client.get(path, headers=known)).status_code == 200


async def test_a_preview_opens_by_a_ticket(api: DatasetApi) -> None:
    dataset = await api.ready(coins())
    path = f"{URL}/{dataset['id']}/preview"
    ticket = await api.client.post("/api/v1/auth/stream-ticket", json={"path": path}, headers=api.headers)

    response = await api.client.get(path, params={"ticket": ticket.json()["ticket"]})

    assert response.status_code == 200
