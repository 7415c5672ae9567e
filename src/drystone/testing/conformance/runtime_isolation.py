"""The part of the suite of runtimes about limits, separation and leftovers."""

# ruff: noqa: S101, D102 - these are tests; their names are their documentation

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.runtimes.errors import RunTimedOut
from drystone.l10_engines.runtimes.port import Limits, Mount
from drystone.testing.conformance import runtime_programs as programs
from drystone.testing.conformance.runtime_bench import (
    LIMIT,
    MEBIBYTE,
    Bench,
    Workbench,
    answers,
    says,
    until,
)


class IsolationConformance:
    """What a runtime promises is held, and what it started can be removed without a trace."""

    @pytest.fixture
    async def work(self, bench: Bench) -> AsyncIterator[Workbench]:
        root = Path(tempfile.mkdtemp(prefix="drystone-runtime-"))
        work = Workbench(bench, root)
        try:
            yield work
            await work.close()
        finally:
            shutil.rmtree(root)

    async def test_memory_is_limited_where_that_is_promised(self, work: Workbench) -> None:
        if not work.runtime.isolation().memory:
            pytest.skip("this machine enforces no memory limit")
        limits = Limits(memory=64 * MEBIBYTE, cpu=1.0)
        instance = await work.start(work.program(programs.EAT_MEMORY, limits=limits))
        exit_ = await instance.wait()
        assert exit_.out_of_memory
        assert exit_.sentence().startswith("used more than its limit of ")

    async def test_processes_are_counted_where_that_is_promised(self, work: Workbench) -> None:
        if not work.runtime.isolation().pids:
            pytest.skip("this machine enforces no limit of processes")
        limits = Limits(memory=256 * MEBIBYTE, cpu=1.0, pids=20)
        instance = await work.start(work.program(programs.FORK, limits=limits))
        await until(says(instance, "forked"))
        made = int(instance.log.read_text().split()[-1])
        assert 10 <= made < 20
        assert len(instance.processes()) > made

    async def test_the_kernels_settings_cannot_be_changed_from_a_sandbox(
        self, work: Workbench
    ) -> None:
        """Linux lets uid 0 write them without any capability; ``core_pattern`` would be a way out."""
        if not work.runtime.isolation().files:
            pytest.skip("this runtime shows the host's own files")
        instance = await work.start(work.program(programs.OPEN_KERNEL_SETTINGS))
        assert (await instance.wait()).is_success
        assert json.loads(instance.log.read_text()) == []

    async def test_an_instance_sees_of_others_only_what_is_not_promised(
        self, work: Workbench
    ) -> None:
        secret = work.root / "secret"
        secret.write_text("private")
        other = await work.start(
            work.program(programs.SLEEP, name="other", environment={"TOKEN": "s3cret-of-other"})
        )
        await until(says(other, "ready"))
        targets = [str(secret), str(other.log), str(work.root / "instances/peek/instance.json")]
        instance = await work.start(
            work.program(programs.PEEK, "s3cret-of-other", *targets, name="peek")
        )
        assert (await instance.wait()).is_success
        seen = json.loads(instance.log.read_text())
        isolation = work.runtime.isolation()
        assert (seen["files"] == []) == isolation.files
        assert (seen["environment"] == 0) == isolation.environment
        assert (seen["processes"] == 0) == isolation.processes
        assert (seen["capabilities"] == 0) == isolation.privileges

    async def test_a_volume_is_written_and_an_artefact_only_read(self, work: Workbench) -> None:
        volume, artefact = work.root / "volume", work.root / "artefact"
        volume.mkdir()
        artefact.mkdir()
        (artefact / "app").write_text("code")
        mounts = (
            *work.bench.mounts,
            Mount(volume, str(volume)),
            Mount(artefact, str(artefact), read_only=True),
        )
        instance = await work.start(
            work.program(programs.USE_MOUNTS, str(volume), str(artefact), mounts=mounts)
        )
        assert (await instance.wait()).is_success, instance.log.read_text()
        assert (volume / "written").read_text() == "code"
        refused = "refused" in instance.log.read_text()
        assert refused or not work.runtime.isolation().files

    async def test_an_instance_nobody_claims_is_found_and_removed(self, work: Workbench) -> None:
        lost = await work.start(work.program(programs.SLEEP, name="lost"))
        kept = await work.start(work.program(programs.SLEEP, name="kept"))
        strays = await work.runtime.strays(work.label, frozenset({"kept"}))
        assert [stray.id for stray in strays] == ["lost"]
        assert lost.pid in strays[0].pids
        assert await work.runtime.strays("another-home", frozenset()) == []
        await work.runtime.remove_stray(strays[0])
        assert not lost.is_running()
        assert kept.is_running()
        assert await work.runtime.strays(work.label, frozenset({"kept"})) == []

    async def test_what_an_instance_left_ends_before_the_next_one_starts(
        self, work: Workbench
    ) -> None:
        port = free_port()
        first = await work.start(work.program(programs.LEAVE_A_CHILD, str(port)))
        await until(lambda: not first.is_running())
        second = await work.start(work.program(programs.SLEEP))
        assert not answers(port)
        await first.stop(grace=timedelta(0))
        assert second.is_running()
        assert (await second.stop(grace=timedelta(0))).code in {137, 143}

    async def test_the_death_of_its_watchers_does_not_free_an_instance(
        self, work: Workbench
    ) -> None:
        instance = await work.start(work.program(programs.FINISH_ON_TERM))
        await until(says(instance, "ready"))
        watchers = work.bench.watchers(instance)
        assert watchers
        for pid in watchers:
            os.kill(pid, signal.SIGKILL)
        found = await work.bench.factory().find(instance.state)
        assert found is not None
        assert found.is_running()
        assert found.pid == instance.pid
        exit_ = await found.stop(grace=LIMIT)
        assert exit_.code in {None, 3}
        assert found.log.read_text().endswith("finished\n")
        assert found.processes() == []

    async def test_a_one_off_command_hands_over_its_output_and_its_code(
        self, work: Workbench
    ) -> None:
        pieces: list[bytes] = []
        spec = work.program(
            "import os; print('x' * 1_000_000 + os.environ['WORD']); exit(4)",
            environment={"WORD": "end"},
        )
        for _ in range(2):
            exit_ = await work.runtime.run_once(spec, output=pieces.append, limit=LIMIT)
            assert exit_.code == 4
        assert b"".join(pieces) == (b"x" * 1_000_000 + b"end\n") * 2

    async def test_a_one_off_command_that_takes_too_long_is_stopped(self, work: Workbench) -> None:
        spec = work.program(programs.SLEEP)
        with pytest.raises(RunTimedOut):
            await work.runtime.run_once(
                spec, output=lambda _: None, limit=timedelta(milliseconds=300)
            )
        found = await work.runtime.find(spec.state)
        assert found is not None
        assert not found.is_running()
        assert found.processes() == []
