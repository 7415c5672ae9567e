from __future__ import annotations

import asyncio
import os
import signal
import uuid
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from drystone.l10_engines.runtimes.cgroups import (
    Cgroups,
    kill_counters,
    members,
    memory_groups_of,
    memory_kills,
    remove,
    remove_after_death,
    seal,
)
from drystone.l10_engines.runtimes.hosted import kill_all
from drystone.l10_engines.runtimes.port import Limits
from drystone.l10_engines.runtimes.processes import Processes

LIMITS = Limits(memory=64 * 1024 * 1024, cpu=0.5, pids=20)


def test_a_group_has_the_limits_in_the_words_of_its_kernel() -> None:
    groups = Cgroups()
    if groups.enforced() != {"memory", "cpu", "pids"}:
        pytest.skip("this machine lets us make no control groups")
    made = groups.create(f"suite-{os.getpid()}", "one", LIMITS)
    try:
        values = {
            path.name: path.read_text().strip()
            for group in made
            for path in group.iterdir()
            if path.name in {"memory.limit_in_bytes", "memory.max", "cpu.cfs_quota_us", "cpu.max"}
            or path.name == "pids.max"
        }
        assert sorted(values.values()) in (
            ["20", "50000", str(LIMITS.memory)],
            ["20", "50000 100000", str(LIMITS.memory)],
        )
        assert members(made) == set()
        assert not memory_kills(kill_counters(made))
    finally:
        remove(made)
    assert not any(group.exists() or group.parent.exists() for group in made)


def test_with_the_unified_interface_one_group_holds_all_limits(tmp_path: Path) -> None:
    groups = Cgroups(dict.fromkeys(("memory", "cpu", "pids"), tmp_path))
    (group,) = groups.create("home", "one", LIMITS)
    assert (group / "memory.max").read_text() == str(LIMITS.memory)
    assert (group / "cpu.max").read_text() == "50000 100000"
    assert (group / "pids.max").read_text() == "20"


def test_the_unified_interface_tells_of_a_death_by_memory(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 1\noom_kill 0\n")
    assert not memory_kills(kill_counters([tmp_path]))
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 1\noom_kill 2\n")
    assert memory_kills(kill_counters([tmp_path])) == 2


def test_nothing_is_enforced_where_no_group_can_be_made() -> None:
    groups = Cgroups({})
    assert groups.enforced() == frozenset()
    assert groups.create("home", "one", LIMITS) == ()


def test_a_process_that_is_gone_is_in_no_group() -> None:
    assert memory_groups_of(2**22 + 1) == ()


async def test_a_group_goes_when_the_last_that_died_in_it_has_been_reaped() -> None:
    groups = Cgroups()
    if not groups.enforced():
        pytest.skip("this machine lets us make no control groups")
    label = f"test-{uuid.uuid4().hex[:8]}"
    made = groups.create(label, "one", LIMITS)
    child = await asyncio.create_subprocess_exec("sleep", "600")
    for group in made:
        (group / "cgroup.procs").write_text(f"{child.pid}")
    assert not remove(made)

    removal = asyncio.create_task(remove_after_death(made))
    child.kill()
    await asyncio.gather(child.wait(), removal)

    assert not any(group.parent.exists() for group in made)


async def test_a_group_that_somebody_still_lives_in_stays() -> None:
    groups = Cgroups()
    if not groups.enforced():
        pytest.skip("this machine lets us make no control groups")
    made = groups.create(f"test-{uuid.uuid4().hex[:8]}", "one", LIMITS)
    child = await asyncio.create_subprocess_exec("sleep", "600")
    (made[0] / "cgroup.procs").write_text(f"{child.pid}")
    try:
        await remove_after_death(made)
        assert [group.exists() for group in made] == [True] + [False] * (len(made) - 1)
    finally:
        child.kill()
        await child.wait()
        await remove_after_death(made)
    assert not any(group.parent.exists() for group in made)


async def test_groups_of_nobody_are_found_as_strays_and_removed() -> None:
    groups = Cgroups()
    if not groups.enforced():
        pytest.skip("this machine lets us make no control groups")
    label = f"test-{uuid.uuid4().hex[:8]}"
    lost, kept = groups.create(label, "lost", LIMITS), groups.create(label, "kept", LIMITS)
    child = await asyncio.create_subprocess_exec("sleep", "600")
    try:
        for group in kept:
            (group / "cgroup.procs").write_text(f"{child.pid}")
        runtime = Processes(groups=groups)
        (stray,) = await runtime.strays(label, frozenset())
        assert (stray.id, stray.pids) == ("lost", ())
        assert await runtime.strays(label, frozenset({"lost"})) == []
        await runtime.remove_stray(stray)
        assert [group.exists() for group in (*lost, *kept)] == [False] * len(lost) + [True] * len(
            kept
        )
    finally:
        child.kill()
        await child.wait()
        await remove_after_death((*kept, *lost))


async def test_in_a_sealed_group_nobody_starts_another_process() -> None:
    groups = Cgroups()
    if "pids" not in groups.enforced():
        pytest.skip("this machine does not let us count processes")
    made = groups.create(f"test-{uuid.uuid4().hex[:8]}", "one", LIMITS)
    try:
        assert seal(made)
        script = 'for g in "$@"; do echo $$ >"$g/cgroup.procs"; done; true | true; echo forked'
        child = await asyncio.create_subprocess_exec(
            "sh", "-c", script, "sh", *map(str, made), stdout=PIPE, stderr=PIPE
        )
        said, complaint = await child.communicate()
        assert said == b""
        assert b"fork" in complaint
    finally:
        await remove_after_death(made)
    assert not seal(made)


async def test_somebody_whom_one_look_misses_is_killed_at_the_next() -> None:
    child = await asyncio.create_subprocess_exec("sleep", "600")
    looks = iter([set[int](), {child.pid}])
    await kill_all(lambda: next(looks, set()), "one")
    assert await child.wait() == -signal.SIGKILL
