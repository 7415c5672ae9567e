"""Keys move between two real servers while somebody writes to the old one; the mover dies at every step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing

import msgspec
import pytest

from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l35_mesh.migration import caches as places
from drystone.l35_mesh.migration.errors import DataUnfit
from l35_mesh.migration.cache_rig import Caches, Writer, content

QUICK = places.HELD
OTHERS = (places.COPIED, places.WRITTEN, places.DRAINED, places.VERIFIED, places.SWITCHED)
STEPS = [QUICK, *(pytest.param(one, marks=pytest.mark.slow) for one in OTHERS)]
BEFORE = [places.WRITTEN, places.DRAINED]

pytestmark = pytest.mark.timeout(120)


def test_no_key_is_lost_or_doubled_under_load(caches: Caches) -> None:
    switched: list[str] = []
    with Writer(caches.old.access()) as writer, closing(caches.move()) as move:
        move.begin()
        writer.until_more()
        move.follow(lambda _: writer.written > 500)
        writer.until_more()
        move.cut_over(lambda: switched.append("now"))
        writer.until_more()
        writer.stop()
        assert writer.refused > 0
    assert switched == ["now"]
    assert content(caches.to_new) == writer.acknowledged
    assert "the old server takes no more changes" in caches.told
    assert not caches.may_write()
    with closing(caches.move()) as move, pytest.raises(DataUnfit, match="would lose"):
        move.give_up()


PROGRAM = """
import asyncio, json, sys
from datetime import timedelta
from pathlib import Path
from drystone.l00_kernel import fault_points
from drystone.l10_engines.cache.access import CacheAccess
from drystone.l10_engines.cache.server import Valkey
from drystone.l35_mesh.migration.caches import CacheMove
from drystone.l35_mesh.migration.noted_moves import Surroundings, Times
told = json.load(sys.stdin)
fault_points.arm(told["fault"] + ":kill", Path(told["folder"]), print)
def hold(is_held):
    # As an agent does that has taken the server over.
    async def once():
        store = Valkey("cache-old", Path(told["server"]))
        await store.start()
        return await store.hold(is_held=is_held)
    return asyncio.run(once())
quick = Times(timedelta(seconds=0.005), timedelta(seconds=0.2), timedelta(seconds=20))
old, new = CacheAccess(**told["old"]), CacheAccess(**told["new"])
around = Surroundings(Path(told["folder"], "notes"), hold, print, times=quick)
move = CacheMove(old, new, around)
move.begin()
move.follow(lambda _: True)
move.cut_over(lambda: None)
"""


def killed_at(caches: Caches, point: FaultPoint) -> None:
    brief = {
        "fault": point.name,
        "folder": str(caches.folder),
        "server": str(caches.old.directory),
        "old": msgspec.to_builtins(caches.old.access()),
        "new": msgspec.to_builtins(caches.new.access()),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=msgspec.json.encode(brief),
        capture_output=True,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.parametrize("point", STEPS, ids=lambda point: str(point.name))
def test_a_mover_that_is_killed_at_any_step_goes_on_by_the_same_command(
    caches: Caches, point: FaultPoint
) -> None:
    with Writer(caches.old.access()) as writer:
        killed_at(caches, point)
        caches.carry_through()
        writer.stop()
    assert content(caches.to_new) == writer.acknowledged
    assert "goes on where it was" in caches.told


@pytest.mark.slow
@pytest.mark.parametrize("point", BEFORE, ids=lambda point: str(point.name))
def test_a_move_that_was_cut_short_can_be_given_up(caches: Caches, point: FaultPoint) -> None:
    with Writer(caches.old.access()) as writer:
        killed_at(caches, point)
        with closing(caches.move()) as move:
            move.give_up()
        writer.refused = 0
        writer.until_more()
        writer.stop()
    assert content(caches.to_old) == writer.acknowledged
    assert caches.may_write()
