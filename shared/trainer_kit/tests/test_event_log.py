import errno
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trainer_kit.event_log import RESERVE_BYTES, EventLog, EventReader, last_event
from vision_contracts import Finished, JobEvent, Log, Paused, Progress


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def open_log(path: Path) -> EventLog:
    return EventLog(path, attempt=2, now=lambda: datetime(2026, 1, 31, 12, tzinfo=UTC))


def read_all(path: Path, after: int = 0) -> list[JobEvent]:
    return [JobEvent.from_line(line) for line in EventReader(path, after=after).read()]


def test_events_are_numbered_from_1_and_carry_attempt_and_time(path: Path) -> None:
    log = open_log(path)
    log.append(Log(message="a\nb"))
    log.append(Progress(epoch=0, epochs=1, step=1, steps=2))
    assert [(event.seq, event.attempt) for event in read_all(path)] == [(1, 2), (2, 2)]
    assert read_all(path)[0].time == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert log.last_seq == 2


def test_nothing_comes_after_a_terminal_event(path: Path) -> None:
    log = open_log(path)
    log.append(Finished())
    assert log.append(Paused()) is None
    assert log.has_ended
    log.close()
    again = open_log(path)
    assert again.has_ended
    assert again.append(Paused()) is None
    assert len(read_all(path)) == 1


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_line_whose_writer_was_killed_is_cut_off_and_its_number_given_anew(path: Path, cut: int) -> None:
    log = open_log(path)
    log.append(Log(message="whole"))
    log.append(Log(message="torn"))
    log.close()
    os.truncate(path, path.stat().st_size - cut)
    assert [event.seq for event in read_all(path)] == [1]
    again = open_log(path)
    again.append(Log(message="next"))
    assert [(event.seq, event.body) for event in read_all(path)][1:] == [(2, Log(message="next"))]


def test_a_file_with_nothing_but_a_torn_line_starts_from_1(path: Path) -> None:
    path.write_bytes(b'{"seq":1,"att')
    log = open_log(path)
    log.append(Paused())
    assert [event.seq for event in read_all(path)] == [1]


def test_lines_that_a_power_cut_has_garbled_are_cut_off(path: Path) -> None:
    log = open_log(path)
    log.append(Log(message="whole"))
    log.close()
    with path.open("ab") as file:
        file.write(b"\0" * 5000 + b"\n" + b'{"seq":2}\n')
    event = last_event(path)
    assert event is not None
    assert event.seq == 1
    open_log(path).append(Paused())
    assert [event.seq for event in read_all(path)] == [1, 2]


def test_threads_do_not_tear_each_others_lines(path: Path) -> None:
    log = open_log(path)

    def write(name: int) -> None:
        for number in range(200):
            log.append(Log(message=f"{name} {number} " + "x" * 300))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [event.seq for event in read_all(path)] == list(range(1, 801))


def test_a_reader_gets_each_line_once_and_only_when_it_is_complete(path: Path) -> None:
    reader = EventReader(path)
    assert reader.read() == []
    log = open_log(path)
    log.append(Log(message="one"))
    assert len(reader.read()) == 1
    with path.open("ab") as file:
        file.write(b'{"seq":2')
    assert reader.read() == []
    with path.open("ab") as file:
        file.write(b"}\n")
    assert reader.read() == [b'{"seq":2}\n']


def test_a_reader_starts_after_any_number(path: Path) -> None:
    log = open_log(path)
    for number in range(5):
        log.append(Log(message=str(number)))
    assert [event.seq for event in read_all(path, after=3)] == [4, 5]
    reader = EventReader(path, after=6)
    assert reader.read() == []
    log.append(Log(message="6"))
    assert reader.read() == []
    log.append(Log(message="7"))
    assert [JobEvent.from_line(line).seq for line in reader.read()] == [7]


def test_lines_longer_than_a_read_are_read_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trainer_kit.event_log.READ_BYTES", 64)
    log = open_log(path)
    log.append(Log(message="x" * 1000))
    log.append(Log(message="y"))
    reader = EventReader(path)
    seen = [JobEvent.from_line(line).seq for _ in range(3) for line in reader.read()]
    assert seen == [1, 2]


@pytest.mark.parametrize("length", [10, 100_000, 400_000])
def test_the_last_event_is_found_however_long_it_is(path: Path, length: int) -> None:
    assert last_event(path) is None
    log = open_log(path)
    log.append(Log(message="first"))
    log.append(Log(message="x" * length))
    event = last_event(path)
    assert event is not None
    assert event.seq == 2


def test_a_full_disk_is_reported_in_the_reserved_space(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(path)
    reserve = path.with_name(".reserve")
    assert reserve.stat().st_size == RESERVE_BYTES
    write = os.write

    def write_while_there_is_space(fd: int, data: bytes) -> int:
        if reserve.exists():
            write(fd, bytes(data)[:7])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(fd, data)

    monkeypatch.setattr(os, "write", write_while_there_is_space)
    with pytest.raises(OSError, match="No space"):
        log.append(Log(message="lost"))
    assert path.read_bytes() == b""
    log.append(Paused())
    assert [event.body for event in read_all(path)] == [Paused()]
