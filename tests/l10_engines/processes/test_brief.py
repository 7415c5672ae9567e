"""Programs that are run to their end and read."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest
import uvloop

from drystone.l00_kernel.errors import DeadlineExceeded, Unavailable
from drystone.l10_engines.processes.brief import run_briefly

LIMIT = 20


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


async def test_code_output_and_complaint_come_back_apart() -> None:
    done = await run_briefly(
        shell('echo out; echo "  no such $WHAT " >&2; exit 3'), env={"WHAT": "x"}
    )

    assert (done.code, done.output, done.complaint) == (3, b"out\n", "no such x")


async def test_it_works_in_the_folder_it_is_given(tmp_path: Path) -> None:
    assert (await run_briefly(["/bin/pwd"], env={})).output == b"/\n"
    there = await run_briefly(["/bin/pwd"], env={}, directory=tmp_path)
    assert there.output.decode() == f"{tmp_path}\n"


async def test_the_signal_that_ended_it_is_known() -> None:
    assert (await run_briefly(shell("kill -KILL $$"), env={})).code == -signal.SIGKILL


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_daemon_that_keeps_the_outputs_open_is_not_waited_for(run: object) -> None:
    async def main() -> int:
        async with asyncio.timeout(LIMIT):
            done = await run_briefly(shell("sleep 600 & echo $!"), env={"PATH": os.defpath})
        return int(done.output)

    assert callable(run)
    os.kill(run(main()), signal.SIGKILL)


async def test_what_takes_too_long_is_killed(tmp_path: Path) -> None:
    script = shell(f"echo $$ >{tmp_path}/pid; exec sleep 600")

    with pytest.raises(DeadlineExceeded, match=r"/bin/sh did not end within 0\.5 s and was killed"):
        await run_briefly(script, env={"PATH": os.defpath}, limit=timedelta(seconds=0.5))
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_program_that_does_not_exist_is_named() -> None:
    with pytest.raises(Unavailable, match="/no/such/program does not start"):
        await run_briefly(["/no/such/program"], env={})
