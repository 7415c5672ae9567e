from __future__ import annotations

import asyncio
import os
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.runtimes.logs import LogFile

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class Writer:
    """Appends as a service does: with a descriptor that it keeps open and never looks at again."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, content: bytes) -> None:
        while content:
            content = content[os.write(self._descriptor, content) :]

    def close(self) -> None:
        os.close(self._descriptor)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def writer(path: Path) -> Iterator[Writer]:
    writer = Writer(path)
    yield writer
    writer.close()


def numbered(numbers: range) -> bytes:
    return b"".join(b"line %08d\n" % number for number in numbers)


def texts(log: LogFile, lines: int) -> list[str]:
    return [line.text for line in log.tail(lines)]


def test_a_log_that_does_not_exist_yet_is_empty(path: Path) -> None:
    assert LogFile(path).tail(10) == []
    assert LogFile(path).span() == (0, 0)
    LogFile(path).bound()
    LogFile(path).mark(NOON)


def test_the_tail_ends_with_the_line_that_is_still_being_written(
    path: Path, writer: Writer
) -> None:
    writer.write(b"one\ntwo\nthree")
    *_, last = LogFile(path).tail(10)
    assert texts(LogFile(path), 2) == ["two", "three"]
    assert not last.is_complete
    assert texts(LogFile(path), 0) == []


@given(st.lists(st.sampled_from([b"", b"short", b"long" * 20_000])), st.integers(0, 12))
def test_the_tail_is_the_last_of_all_lines(lines: list[bytes], count: int) -> None:
    read, write = os.memfd_create("log"), b"".join(line + b"\n" for line in lines)
    try:
        os.write(read, write)
        log = LogFile(Path(f"/proc/self/fd/{read}"))
        everything = list(log.lines(0))
        assert len(everything) == len(lines)
        assert log.tail(count) == everything[len(lines) - min(count, len(lines)) :]
    finally:
        os.close(read)


def test_a_line_of_a_hundred_megabytes_takes_no_memory(path: Path, writer: Writer) -> None:
    for _ in range(100):
        writer.write(b"x" * 1_000_000)
    writer.write(b"\nafter\n")
    tracemalloc.start()
    try:
        huge, after = LogFile(path).tail(2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after.text == "after"
    assert huge.text.endswith(" … cut 99967232 bytes")
    assert peak < 2_000_000


@pytest.mark.parametrize("may_punch", [True, False], ids=["hole", "copy"])
def test_a_bound_log_keeps_its_newest_lines_and_their_offsets(
    path: Path, writer: Writer, may_punch: bool
) -> None:
    log = LogFile(path, may_punch=may_punch)
    before: dict[str, int] = {}
    for turn in range(30):
        writer.write(numbered(range(turn * 1000, turn * 1000 + 1000)))
        newest = log.tail(1)[0]
        before[newest.text] = newest.offset
        log.bound(100_000)
    lines = list(log.lines(0))
    first, end = log.span()
    assert end == 30 * 1000 * len(b"line 00000000\n")
    assert 50_000 <= end - first <= 100_000
    assert [line.text for line in lines] == [
        f"line {number:08d}" for number in range(30_000 - len(lines), 30_000)
    ]
    assert len(lines) * 14 > 45_000
    assert {
        line.text: line.offset for line in lines if line.text in before
    }.items() <= before.items()
    used = sum(entry.stat().st_blocks * 512 for entry in path.parent.iterdir())
    assert used < 250_000


def test_punching_loses_nothing_that_is_written_meanwhile(path: Path, writer: Writer) -> None:
    """A writer that never pauses, a keeper that bounds all the time: the newest part is gapless."""
    finished = threading.Event()

    def write() -> None:
        for number in range(0, 40_000, 20):
            writer.write(numbered(range(number, number + 20)))
        finished.set()

    thread = threading.Thread(target=write)
    thread.start()
    log = LogFile(path)
    while not finished.is_set():
        log.bound(50_000)
    thread.join()
    found = [int(line.text.split()[1]) for line in log.lines(0)]
    assert found == list(range(40_000 - len(found), 40_000))
    assert len(found) > 1000


@pytest.mark.parametrize("may_punch", [True, False], ids=["hole", "copy"])
async def test_a_follower_sees_every_line_once_across_bounding(
    path: Path, writer: Writer, may_punch: bool
) -> None:
    log = LogFile(path, may_punch=may_punch)
    ended = asyncio.Event()
    seen: list[str] = []

    async def follow() -> None:
        async for line in log.follow(0, ended=ended):
            seen.append(line.text)  # noqa: PERF401 - others look at it while it grows

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(follow())
        for turn in range(8):
            writer.write(numbered(range(turn * 1000, turn * 1000 + 1000)))
            while len(seen) < (turn + 1) * 1000:  # noqa: ASYNC110 - the follower tells nobody
                await asyncio.sleep(0.005)
            log.bound(30_000)
        writer.write(b"unfinished")
        ended.set()
    assert seen == [*(f"line {number:08d}" for number in range(8_000)), "unfinished"]


async def test_a_follower_waits_for_a_log_that_does_not_exist_yet(path: Path) -> None:
    async with asyncio.timeout(10):
        lines = LogFile(path).follow(0)
        first = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0)
        writer = Writer(path)
        writer.write(b"half a ")
        writer.write(b"line\n")
        assert (await first).text == "half a line"
        writer.close()
        await lines.aclose()


async def test_a_slow_follower_continues_where_the_log_begins_now(
    path: Path, writer: Writer
) -> None:
    log = LogFile(path)
    writer.write(numbered(range(100)))
    async with asyncio.timeout(10):
        lines = log.follow(0)
        assert (await anext(lines)).text == "line 00000000"
        writer.write(numbered(range(100, 50_000)))
        log.bound(20_000)
        seen: list[str] = []
        while not seen or seen[-1] != "line 00049999":
            seen.append((await anext(lines)).text)
        await lines.aclose()
    numbers = [int(text.split()[1]) for text in seen]
    assert numbers == sorted(numbers)
    assert numbers[:99] == list(range(1, 100))
    assert numbers[99] > 48_000


def test_what_was_written_since_a_time_is_found(path: Path, writer: Writer) -> None:
    log = LogFile(path)
    for second in range(100):
        writer.write(b"at %d\n" % second)
        log.mark(NOON + timedelta(seconds=second))
        log.mark(NOON + timedelta(seconds=second, milliseconds=100))
    since = LogFile(path).offset_at(NOON + timedelta(seconds=97))
    assert [line.text for line in log.lines(since)] == ["at 98", "at 99"]
    assert LogFile(path).offset_at(NOON - timedelta(days=1)) == 0


def test_a_silent_log_gathers_no_marks(path: Path, writer: Writer) -> None:
    log = LogFile(path)
    writer.write(b"once\n")
    for second in range(50):
        log.mark(NOON + timedelta(seconds=second))
    assert len((path.parent / "log.times").read_text().splitlines()) == 1


def test_the_marks_of_a_long_life_stay_few_and_in_order(path: Path, writer: Writer) -> None:
    log = LogFile(path)
    for second in range(6000):
        writer.write(b"at %05d\n" % second)
        log.mark(NOON + timedelta(seconds=second))
        if second % 500 == 0:
            log.bound()
    log.bound()
    assert len((path.parent / "log.times").read_text().splitlines()) <= 4096
    since = log.offset_at(NOON + timedelta(seconds=3000))
    first = next(log.lines(since)).text
    assert "at 02900" <= first <= "at 03001"
