import io
from pathlib import Path

import pytest

from trainer_kit.runner import output
from trainer_kit.runner.output import OutputCapture
from vision_contracts import Log, LogLevel


def capture(tmp_path: Path, printed: bytes, clock: float = 0.0) -> tuple[OutputCapture, list[Log]]:
    reported: list[Log] = []
    captured = OutputCapture(tmp_path / "output.log", reported.append, lambda: clock)
    captured.read(io.BytesIO(printed))
    return captured, reported


def test_every_line_is_logged_and_kept(tmp_path: Path) -> None:
    captured, reported = capture(tmp_path, "eins\n\nzwei é\nrest".encode())
    assert [log.message for log in reported] == ["eins", "zwei é", "rest"]
    assert (tmp_path / "output.log").read_text() == "eins\n\nzwei é\nrest"
    assert list(captured.last_lines) == ["eins", "zwei é", "rest"]


def test_a_progress_bar_is_one_line(tmp_path: Path) -> None:
    _, reported = capture(tmp_path, b"\r 10%\r 50%\r100%\nnext\n")
    assert [log.message for log in reported] == ["100%", "next"]


def test_bytes_that_are_no_text_do_no_harm(tmp_path: Path) -> None:
    _, reported = capture(tmp_path, b"\xff\xfe\n")
    assert [log.message for log in reported] == ["\ufffd\ufffd"]


def test_a_line_without_end_is_cut_into_pieces(tmp_path: Path) -> None:
    _, reported = capture(tmp_path, b"x" * 10_000)
    assert [len(log.message) for log in reported] == [4_000, 4_000, 2_000]


def test_a_flood_is_counted_instead_of_logged(tmp_path: Path) -> None:
    captured, reported = capture(tmp_path, b"".join(b"%d\n" % number for number in range(5_000)))
    assert len(reported) == output.BURST_LINES + 1
    assert reported[-1] == Log(
        level=LogLevel.WARNING, message="4,000 lines are left out here; the artifact logs/output.log has them."
    )
    assert captured.last_lines[-1] == "4999"


def test_the_file_is_bounded_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "MAX_FILE_BYTES", 100)
    capture(tmp_path, b"0123456789\n" * 50)
    *lines, _, note = (tmp_path / "output.log").read_text().splitlines()
    assert lines == ["0123456789"] * 10
    assert note == "… output after 100 bytes is not kept"
