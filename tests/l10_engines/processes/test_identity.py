"""Which process is which, and whose exit codes are taken."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import structs

from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.identity import ProcessId
from drystone.l10_engines.processes.spawn import spawn

ODD_NAME = "import ctypes,time; ctypes.CDLL(None).prctl(15, b'\\xc3)\\xff 7', 0, 0, 0); print(1, flush=True)"
LIMIT = 20


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def known(pid: int) -> ProcessId:
    process = identity.identify(pid)
    assert process is not None
    return process


def until_zombie(pid: int) -> None:
    """Wait for the end of a child without reaping it (waitid(2))."""
    assert os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT) is not None


def test_a_process_is_itself_and_a_later_one_of_its_number_is_not(
    sleeper: subprocess.Popen[bytes],
) -> None:
    process = known(sleeper.pid)

    assert identity.is_alive(process)
    assert not identity.is_alive(structs.replace(process, started=process.started - 1))
    assert not identity.is_alive(structs.replace(process, boot="another"))


def test_a_zombie_is_not_alive_and_is_collected_once(sleeper: subprocess.Popen[bytes]) -> None:
    process = known(sleeper.pid)
    sleeper.kill()
    until_zombie(sleeper.pid)

    assert identity.identify(sleeper.pid) is None
    assert not identity.is_alive(process)
    assert identity.reap(process) == -signal.SIGKILL
    assert identity.reap(process) is None


def test_what_still_runs_is_not_collected(sleeper: subprocess.Popen[bytes]) -> None:
    assert identity.reap(known(sleeper.pid)) is None
    assert sleeper.poll() is None


async def test_waiting_for_the_earlier_owner_of_a_number_takes_no_other_childs_code(
    sleeper: subprocess.Popen[bytes],
) -> None:
    earlier = structs.replace(known(sleeper.pid), started=1)
    sleeper.terminate()
    until_zombie(sleeper.pid)

    async with asyncio.timeout(LIMIT):
        assert await identity.wait(earlier) is None
    assert sleeper.wait() == -signal.SIGTERM


async def test_the_code_of_a_child_is_known_even_if_it_ended_at_once(tmp_path: Path) -> None:
    codes = []
    for _ in range(20):
        process = spawn(["/bin/sh", "-c", "exit 7"], output=tmp_path / "log")
        async with asyncio.timeout(LIMIT):
            codes.append(await identity.wait(process))

    assert codes == [7] * 20


async def test_the_end_of_somebody_elses_child_is_seen_without_a_code(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", "sleep 600 & echo $!"]
    log = tmp_path / "log"
    async with asyncio.timeout(LIMIT):
        assert await identity.wait(spawn(command, output=log)) == 0
    process = known(int(log.read_text()))

    async with asyncio.timeout(LIMIT):
        assert await identity.stop(process, grace=timedelta(seconds=LIMIT)) is None
    assert not identity.is_alive(process)


async def test_what_ignores_the_request_is_killed(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]
    log = tmp_path / "log"
    process = spawn(command, output=log)
    async with asyncio.timeout(LIMIT):
        while log.read_text() != "ready\n":  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
        code = await identity.stop(process, grace=timedelta(milliseconds=50))

    assert code == -signal.SIGKILL


def test_a_signal_never_reaches_a_later_process_of_the_number(
    sleeper: subprocess.Popen[bytes],
) -> None:
    process = known(sleeper.pid)

    assert not identity.send(structs.replace(process, started=1), signal.SIGKILL)
    assert sleeper.poll() is None
    assert identity.send(process, signal.SIGKILL)
    assert sleeper.wait() == -signal.SIGKILL
    assert not identity.send(process, signal.SIGKILL)


def test_a_process_may_have_a_name_that_is_no_text() -> None:
    command = [sys.executable, "-c", f"{ODD_NAME}; time.sleep(600)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"1\n"
            assert known(process.pid).started > 1
        finally:
            process.kill()


def test_a_program_gets_the_environment_and_folder_it_is_given_and_a_session_of_its_own(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log"
    process = spawn(
        ["/bin/sh", "-c", 'echo "$SOME $HOME"; pwd; read line || echo no input; echo $$ >&2'],
        output=log,
        env={"SOME": "thing"},
        directory=tmp_path,
    )
    until_zombie(process.pid)
    session = identity.stat_fields(process.pid)
    identity.reap(process)

    assert log.read_text() == f"thing \n{tmp_path}\nno input\n{process.pid}\n"
    assert session is not None
    assert session[3] == str(process.pid)
    assert log.stat().st_mode & 0o777 == 0o600


async def test_one_that_is_reaped_at_this_very_moment_has_ended(
    sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = identity.identify(sleeper.pid)
    assert process is not None

    def reaped(pid: int) -> int:
        sleeper.kill()
        sleeper.wait()
        raise FileNotFoundError(2, "No such file or directory")  # as Linux 6.18 says then

    monkeypatch.setattr(os, "pidfd_open", reaped)
    assert not identity.send(process, signal.SIGKILL)
    assert await identity.wait(process) is None
