"""Services that run while somebody uses them."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from drystone.l10_engines.on_demand.errors import SocketUnusable
from drystone.l10_engines.on_demand.patience import Patience
from drystone.l10_engines.on_demand.service import LARGEST_LOG, OnDemand
from drystone.l10_engines.supervision.port import EngineState
from drystone.testing.command_line import short_home

PROGRAM = Path(__file__).with_name("program.py")
LIMIT_S = 60
ENV = {"PATH": os.defpath}


@pytest.fixture
def folder() -> Path:
    return short_home("on-demand")


@asynccontextmanager
async def kept(
    folder: Path, *more: str, patience: Patience | None = None
) -> AsyncIterator[OnDemand]:
    one = OnDemand(
        "view",
        place=folder / "view.sock",
        command=[sys.executable, str(PROGRAM), *more],
        output=folder / "view.log",
        env=ENV,
        patience=patience,
    )
    one.start()
    try:
        yield one
    finally:
        await one.stop()
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()


async def get(place: Path, path: str = "/") -> tuple[int, str]:
    """Ask once; returns the status and the body."""
    async with asyncio.timeout(LIMIT_S):
        reader, writer = await asyncio.open_unix_connection(place)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
    if not head:
        raise ConnectionResetError("no answer")
    return int(head.split()[1]), body.decode()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


async def test_nothing_runs_until_somebody_asks(folder: Path) -> None:
    async with kept(folder) as one:
        assert (one.status().state, one.status().pid) == (EngineState.STOPPED, None)
        assert stat.S_IMODE(one.place.stat().st_mode) == 0o600

        status, pid = await get(one.place)

        assert (status, int(pid)) == (200, one.status().pid)
        assert one.status().state is EngineState.READY
        assert (await get(one.place))[1] == pid
    assert not lives(int(pid))


async def test_a_hundred_at_once_start_one_program(folder: Path) -> None:
    async with kept(folder) as one:
        answers = await asyncio.gather(*(get(one.place) for _ in range(100)))

        assert {status for status, _ in answers} == {200}
        assert len({pid for _, pid in answers}) == 1
        assert one.status().restarts == 0


async def test_the_request_after_a_kill_is_answered_by_another(folder: Path) -> None:
    async with kept(folder) as one:
        _, first = await get(one.place)
        under_way = [asyncio.create_task(get(one.place, "/slow")) for _ in range(5)]
        await asyncio.sleep(0)
        os.kill(int(first), signal.SIGKILL)

        status, second = await get(one.place)

        assert (status, first != second) == (200, True)
        for answer in await asyncio.gather(*under_way, return_exceptions=True):
            assert isinstance(answer, OSError) or answer == (200, second)
        assert one.status().restarts == 1


async def test_it_ends_when_nobody_uses_it_and_comes_back(folder: Path) -> None:
    async with kept(folder, "--idle", "0.3") as one:
        _, first = await get(one.place)
        await until(lambda: one.status().pid is None)
        assert one.status().state is EngineState.STOPPED
        assert not lives(int(first))

        _, second = await get(one.place)

        assert first != second


async def test_no_request_falls_between_two_programs(folder: Path) -> None:
    async with kept(folder, "--idle", "0.05") as one:
        seen = set()
        for _ in range(4):
            seen.add(await get(one.place))
            await asyncio.sleep(0.05)

        assert {status for status, _ in seen} == {200}


async def test_who_cannot_be_served_is_told_and_later_served(folder: Path) -> None:
    sign = folder / "broken"
    sign.touch()
    patience = Patience(
        first_pause=timedelta(milliseconds=300), longest_pause=timedelta(milliseconds=600)
    )
    async with kept(folder, "--broken-while", str(sign), patience=patience) as one:
        status, said = await get(one.place)

        assert status == 503
        assert "view ended again and again" in said
        assert one.status().state is EngineState.FAILED
        assert "ended with 5, 2 times in a row" in one.status().last_error
        sign.unlink()
        while (await get(one.place))[0] != 200:  # noqa: ASYNC110 - asks another process
            await asyncio.sleep(0.05)
        assert one.status().last_error == "" or one.status().state is EngineState.READY


async def test_a_program_that_does_not_exist_is_a_failure_like_others(folder: Path) -> None:
    one = OnDemand(
        "view",
        place=folder / "view.sock",
        command=["/no/such/program"],
        output=folder / "view.log",
        env=ENV,
    )
    one.start()
    assert (await get(one.place))[0] == 503
    assert "/no/such/program does not start" in one.status().last_error
    await one.stop()
    (folder / "view.log").unlink()
    folder.rmdir()


async def test_stopping_ends_one_that_hangs(folder: Path) -> None:
    patience = Patience(grace=timedelta(milliseconds=200))
    async with kept(folder, patience=patience) as one:
        _, pid = await get(one.place)
        stuck = asyncio.create_task(get(one.place, "/stuck"))
        await until(lambda: _connections(one) > 0 or stuck.done())
        await one.stop()

        assert not lives(int(pid))
        assert not one.place.exists()
        with pytest.raises(OSError):  # noqa: PT011 - reset or refused
            await stuck


def _connections(one: OnDemand) -> int:
    return Path("/proc/net/unix").read_text().count(str(one.place)) - 1


KEEPER = """
import asyncio, os, sys
from pathlib import Path
from drystone.l10_engines.on_demand.service import OnDemand
async def main():
    place = Path(sys.argv[1])
    one = OnDemand("view", place=place, command=sys.argv[2:], output=place.with_name("log"), env=dict(os.environ))
    one.start()
    print("listens", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.parametrize("path", ["/", "/stuck"], ids=["idle", "computing"])
async def test_it_ends_with_the_one_who_keeps_it(folder: Path, path: str) -> None:
    place = folder / "view.sock"
    command = [sys.executable, "-c", KEEPER, str(place), sys.executable, str(PROGRAM)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as keeper:  # noqa: ASYNC220 - is killed
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == b"listens\n"
        pid = int((await get(place))[1])
        asking = asyncio.create_task(get(place, path))
        await asyncio.sleep(0.05)
        keeper.kill()
    await until(lambda: not lives(pid))
    await asyncio.gather(asking, return_exceptions=True)
    for left in folder.iterdir():
        left.unlink()
    folder.rmdir()


async def test_a_log_that_has_become_large_is_put_aside(folder: Path) -> None:
    (folder / "view.log").write_bytes(b"x" * (LARGEST_LOG + 1))
    async with kept(folder) as one:
        await get(one.place)

        assert (folder / "view.log").stat().st_size < LARGEST_LOG
        assert (folder / "view.log.1").stat().st_size > LARGEST_LOG


async def test_a_place_where_nobody_can_listen_is_named(tmp_path: Path) -> None:
    one = OnDemand(
        "view", place=tmp_path / "no/folder.sock", command=["x"], output=tmp_path / "l", env=ENV
    )
    with pytest.raises(SocketUnusable, match=r"folder\.sock cannot be listened on"):
        one.start()


def test_pauses_grow_up_to_a_bound() -> None:
    patience = Patience()

    pauses = [patience.pause(failures).total_seconds() for failures in (1, 2, 3, 4, 9, 1000)]

    assert pauses == [0, 1, 2, 4, 60, 60]
