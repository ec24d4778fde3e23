"""Drawing processes: their answers, their end, and that the next picture is drawn all the same."""

import asyncio
import io
import os
import signal
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from PIL import Image
from support.worst_images import png

from vision_api.datasets.previews import drawers as module
from vision_api.datasets.previews.drawers import DrawerDied, Drawers, running_drawers
from vision_api.datasets.previews.messages import DrawingRequest, Legend, Outcome
from vision_api.datasets.processing.stored_samples import SamplePage, StoredSample


@pytest.fixture
async def drawers() -> AsyncGenerator[Drawers]:
    async with running_drawers() as running:
        yield running


def request_of(folder: Path, content: bytes | None, *, archive: bool = True) -> DrawingRequest:
    """Return a request for an image that lies behind seven other bytes of an archive."""
    page, stored = folder / "page.json", folder / "archive"
    sample = StoredSample(name="a.png", start=107, length=len(content or b""), class_id=0, instances=())
    page.write_bytes(SamplePage.dump_json((sample,)))
    if content is not None:
        stored.write_bytes(b"another" + content + b"another")
    return DrawingRequest(page, 0, Legend(["coin"]), 64, stored if archive else None, 100)


def small_picture() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(content, "PNG")
    return content.getvalue()


async def test_an_image_is_found_and_drawn_by_one_process(drawers: Drawers, tmp_path: Path) -> None:
    found, nothing = await drawers.draw(request_of(tmp_path, small_picture(), archive=False))
    first = drawers._started[0].pid
    drawn, picture = await drawers.draw(request_of(tmp_path, small_picture()))

    assert (found.outcome, found.start, nothing) == (Outcome.FOUND, 107, b"")
    assert (drawn.outcome, drawn.length) == (Outcome.DRAWN, len(picture))
    assert Image.open(io.BytesIO(picture)).size == (64, 32)
    assert [process.pid for process in drawers._started] == [first]


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (png(2, 16, 3, 9000), Outcome.TOO_LARGE),
        (b"no image", Outcome.BROKEN),
        (small_picture()[:-30], Outcome.BROKEN),
        (None, Outcome.MISSING),
    ],
)
async def test_what_cannot_be_drawn_has_an_answer_and_costs_no_process(
    drawers: Drawers, tmp_path: Path, content: bytes | None, outcome: Outcome
) -> None:
    for _ in range(2):
        answer, _ = await drawers.draw(request_of(tmp_path, content))
        assert answer.outcome == outcome

    assert len(drawers._started) == 1


async def test_a_process_that_hangs_is_killed_and_replaced(
    drawers: Drawers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of(tmp_path, small_picture())
    await drawers.draw(request)
    first = drawers._started[0].pid
    os.kill(first, signal.SIGSTOP)
    monkeypatch.setattr(module, "SECONDS", 0.2)
    with pytest.raises(DrawerDied, match=r"took longer than 0\.2 s"):
        await drawers.draw(request)
    monkeypatch.undo()

    answer, _ = await drawers.draw(request)

    assert answer.outcome == Outcome.DRAWN
    assert drawers._started[0].pid != first


async def test_a_process_that_dies_while_it_draws_is_reported_and_replaced(drawers: Drawers, tmp_path: Path) -> None:
    request = request_of(tmp_path, small_picture())
    await drawers.draw(request)
    os.kill(drawers._started[0].pid, signal.SIGSTOP)
    drawing = asyncio.create_task(drawers.draw(request))
    while drawers._idle:
        await asyncio.sleep(0)
    os.kill(drawers._started[0].pid, signal.SIGKILL)
    with pytest.raises(DrawerDied, match="ended with exit code -9"):
        await drawing

    assert (await drawers.draw(request))[0].outcome == Outcome.DRAWN


async def test_processes_and_pictures_at_the_same_time_are_bounded(drawers: Drawers, tmp_path: Path) -> None:
    request = request_of(tmp_path, small_picture())

    answers = await asyncio.gather(*(drawers.draw(request) for _ in range(8)))

    assert {answer.outcome for answer, _ in answers} == {Outcome.DRAWN}
    assert len(drawers._started) <= module.AT_ONCE


@pytest.mark.skipif(sys.platform != "linux", reason="the limit needs Linux")
async def test_a_process_has_limits_and_one_thread(drawers: Drawers, tmp_path: Path) -> None:
    await drawers.draw(request_of(tmp_path, small_picture()))
    process = Path(f"/proc/{drawers._started[0].pid}")
    limits = dict(line.split("  ", 1) for line in (process / "limits").read_text().splitlines())

    assert limits["Max data size"].split()[:2] == [str(1536 * 2**20)] * 2
    assert (process / "oom_score_adj").read_text().strip() == "1000"
    assert len(list((process / "task").iterdir())) == 1
