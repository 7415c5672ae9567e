"""A new Envoy in the place of one that serves."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from drystone.l10_engines.processes import identity
from drystone.l10_engines.processes.spawn import spawn
from drystone.l10_engines.proxy.edge import edge_snapshot
from drystone.l10_engines.proxy.errors import ProxyRefused
from drystone.l10_engines.proxy.generation import BOOTSTRAP, Generation, generations
from drystone.testing.conformance.engines import eventually
from l10_engines.proxy.rig import Rig, Running, answers, shop
from l10_engines.proxy.upstream import Upstream


async def test_a_replacement_loses_no_request_and_finishes_long_ones(
    rig: Rig, blue: Upstream
) -> None:
    pid = rig.envoy.status().pid
    slow = asyncio.create_task(rig.get("/slow"))
    await eventually(lambda: blue.seen["GET /slow"] == 1)
    async with Running(rig, reused=1):
        replacing = asyncio.create_task(rig.envoy.replace())
        await eventually(lambda: rig.envoy.status().pid != pid)
        assert await rig.envoy.active_requests("dev/shop", blue.port) >= 1
        blue.release.set()
        await replacing
    assert (await slow).text == "blue"
    assert len(generations(rig.home / "edge")) == 1


async def test_an_envoy_with_an_older_bootstrap_is_replaced_by_the_next_agent(
    rig: Rig, blue: Upstream
) -> None:
    pid = rig.envoy.status().pid
    await rig.die()
    (rig.home / "edge" / BOOTSTRAP).write_text("{}")  # as an older agent might have written it
    async with Running(rig, reused=1):
        await rig.live(rig.snapshot(shop(("blue", 1, [blue]))))
        await eventually(lambda: rig.envoy.status().pid not in {pid, None})
        await eventually(lambda: len(generations(rig.home / "edge")) == 1)


async def test_an_envoy_whose_program_was_replaced_is_known(home: Path) -> None:
    generation = Generation(home, 1)
    generation.place.mkdir()
    program = home / "envoy"
    shutil.copy("/bin/sleep", program)
    process = spawn([str(program), "60"], output=home / "log", directory=generation.place)
    try:
        assert generation.is_of(program)
        program.unlink()
        shutil.copy("/bin/sleep", program)
        assert not generation.is_of(program)
    finally:
        await identity.stop(process, grace=timedelta(seconds=5))


async def test_a_replacement_that_the_agent_did_not_survive_is_completed_by_the_next(
    rig: Rig, blue: Upstream
) -> None:
    async with Running(rig, reused=1):
        replacing = asyncio.create_task(rig.envoy.replace())
        await eventually(lambda: len(generations(rig.home / "edge")) == 2)
        await rig.die()
        replacing.cancel()
        await asyncio.gather(replacing, return_exceptions=True)
        await rig.live(rig.snapshot(shop(("blue", 1, [blue]))))
        await eventually(lambda: len(generations(rig.home / "edge")) == 1)


async def test_a_replacement_that_refuses_the_configuration_does_not_take_over(
    rig: Rig, blue: Upstream
) -> None:
    pid = rig.envoy.status().pid
    # The folder of the access log goes away: the old Envoy has its file open, a new one cannot open it.
    folder = rig.access_log.parent / "logs"
    folder.mkdir()
    await rig.envoy.publish(
        edge_snapshot((shop(("blue", 1, [blue])),), port=rig.port, access_log=folder / "log")
    )
    shutil.rmtree(folder)
    with pytest.raises(ProxyRefused, match="logs/log"):
        await rig.envoy.replace()
    assert rig.envoy.status().pid == pid
    assert await answers(rig)
    assert len(generations(rig.home / "edge")) == 1
