"""What every runtime must do, as a suite: subclass :class:`RuntimeConformance` and give it a ``bench``.

::

    class TestProcesses(RuntimeConformance):
        @pytest.fixture
        def bench(self) -> Bench:
            return Bench(factory=Processes, python=sys.executable)
"""

# ruff: noqa: S101, S108, D102 - these are tests; their names are their documentation

from __future__ import annotations

import asyncio
import inspect
import json
import os
import signal
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import uvloop

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.runtimes.errors import CommandNotFound, InstanceRuns, SpecInvalid
from drystone.l10_engines.runtimes.port import LOG_NAME, Exit, Mount
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
from drystone.testing.conformance.runtime_isolation import IsolationConformance
from drystone.testing.conformance.runtime_network import NetworkConformance

__all__ = ["Bench", "RuntimeConformance"]

AWKWARD = (
    "",
    "two words",
    'it\'s "quoted"',
    "line\nbreak",
    "$(id) `id` $HOME",
    "; rm -rf / | cat & # *",
    "-n",
    "--",
    "back\\slash",
    "grüße 石",
)


class RuntimeConformance(IsolationConformance, NetworkConformance):
    """Behaviour that the agent relies on, whichever runtime an instance is in."""

    async def test_it_is_available_here(self, work: Workbench) -> None:
        assert await work.runtime.available() is None

    async def test_an_instance_serves_on_its_port_and_is_seen_to(self, work: Workbench) -> None:
        port = free_port()
        instance = await work.start(work.program(programs.SERVE, str(port)))
        await until(lambda: answers(port))
        assert instance.listening_ports() == [port]
        assert instance.is_running()
        assert instance.pid in instance.processes()
        assert instance.usage().memory > MEBIBYTE
        assert instance.usage().cpu >= timedelta(0)

    async def test_the_environment_is_the_specs_and_nothing_else(
        self, work: Workbench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AGENTS_SECRET", "not for services")
        wanted = {"PLAIN": "1", "EMPTY": "", "ODD": "a=b \"c\" 'd'\n$HOME", "WORDS": "grüße 石"}
        instance = await work.start(work.program(programs.ENVIRONMENT, environment=wanted))
        await instance.wait()
        seen = json.loads(instance.log.read_text())
        assert {name: seen[name] for name in wanted} == wanted
        assert set(seen) - set(wanted) == work.bench.own_variables

    async def test_a_variable_of_the_spec_replaces_a_default(self, work: Workbench) -> None:
        wanted = {"PATH": "/usr/bin:/bin:/elsewhere", "LANG": "C", "HOME": "/tmp"}
        instance = await work.start(work.program(programs.ENVIRONMENT, environment=wanted))
        await instance.wait()
        seen = json.loads(instance.log.read_text())
        assert {name: seen[name] for name in wanted} == wanted

    async def test_the_working_directory_is_the_one_asked_for(self, work: Workbench) -> None:
        folder = work.root / "app with space"
        folder.mkdir()
        mounts = (*work.bench.mounts, Mount(folder, str(folder), read_only=True))
        spec = work.program("import os; print(os.getcwd())", directory=folder, mounts=mounts)
        instance = await work.start(spec)
        assert (await instance.wait()).is_success
        assert instance.log.read_text() == f"{folder}\n"

    async def test_arguments_arrive_unchanged(self, work: Workbench) -> None:
        instance = await work.start(work.program(programs.ARGUMENTS, *AWKWARD))
        await instance.wait()
        assert tuple(json.loads(instance.log.read_text())) == AWKWARD

    async def test_no_descriptor_of_the_agent_reaches_an_instance(self, work: Workbench) -> None:
        with tempfile.TemporaryFile() as private:
            os.set_inheritable(private.fileno(), True)
            instance = await work.start(work.program(programs.DESCRIPTORS))
            await instance.wait()
        assert json.loads(instance.log.read_text()) == [0, 1, 2]

    async def test_the_exit_code_is_known(self, work: Workbench) -> None:
        instance = await work.start(work.program("raise SystemExit(7)"))
        exit_ = await instance.wait()
        assert (exit_.code, exit_.signal, exit_.out_of_memory) == (7, None, False)
        assert exit_.sentence() == "ended with exit code 7"
        assert exit_.at is not None
        assert not instance.is_running()
        assert await instance.wait() == exit_
        assert await instance.stop() == exit_

    async def test_the_signal_that_ended_it_is_known(self, work: Workbench) -> None:
        instance = await work.start(work.program(programs.SLEEP))
        await until(says(instance, "ready"))
        os.kill(instance.pid, signal.SIGKILL)
        exit_ = await instance.wait()
        assert (exit_.code, exit_.signal) == (137, signal.SIGKILL)
        assert "SIGKILL" in exit_.sentence()

    async def test_a_crash_at_once_leaves_its_code_and_its_last_words(
        self, work: Workbench
    ) -> None:
        instance = await work.start(work.program("raise RuntimeError('no configuration')"))
        assert (await instance.wait()).code == 1
        assert "RuntimeError: no configuration" in instance.log.read_text()

    async def test_an_instance_is_adopted_with_the_same_process(self, work: Workbench) -> None:
        instance = await work.start(work.program(programs.SLEEP))
        found = await work.bench.factory().find(instance.state)
        assert found is not None
        assert (found.id, found.pid) == (instance.id, instance.pid)
        assert found.is_running()
        assert found.processes() == instance.processes()
        both = asyncio.gather(instance.wait(), found.stop(grace=timedelta(0)))
        first, second = await both
        assert first == second

    async def test_an_instance_outlives_the_sudden_death_of_its_starter(
        self, work: Workbench
    ) -> None:
        spec = work.program(programs.EXIT_9_ON_USR1)
        factory = work.bench.factory
        starter = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            programs.STARTER,
            inspect.getfile(factory),
            factory.__name__,
            msgspec.json.encode(spec, enc_hook=str).decode(),
            stdout=asyncio.subprocess.PIPE,
        )
        assert starter.stdout is not None
        pid = int(await starter.stdout.readline())
        starter.kill()
        await starter.wait()
        found = await work.runtime.find(spec.state)
        assert found is not None
        assert found.pid == pid
        assert found.is_running()
        await until(says(found, "ready"))
        os.kill(found.pid, signal.SIGUSR1)
        assert (await found.wait()).code == 9

    async def test_an_end_that_nobody_watched_is_known_later(self, work: Workbench) -> None:
        instance = await work.start(work.program("raise SystemExit(5)"))
        await until(lambda: not instance.is_running())
        found = await work.bench.factory().find(instance.state)
        assert found is not None
        assert not found.is_running()
        assert (await found.wait()).code == 5

    def test_it_works_in_the_event_loop_of_the_agent(self, bench: Bench, tmp_path: Path) -> None:
        async def live() -> Exit:
            work = Workbench(bench, tmp_path)
            instance = await work.start(work.program(programs.FINISH_ON_TERM))
            await until(says(instance, "ready"))
            exit_ = await instance.stop(grace=LIMIT)
            await work.close()
            return exit_

        assert uvloop.run(live()).code == 3

    async def test_nothing_is_found_where_nothing_was_started(self, work: Workbench) -> None:
        assert await work.runtime.find(work.root / "empty") is None

    async def test_a_stop_lets_the_work_in_flight_finish(self, work: Workbench) -> None:
        instance = await work.start(work.program(programs.FINISH_ON_TERM))
        await until(says(instance, "ready"))
        exit_ = await instance.stop(grace=LIMIT)
        assert exit_.code == 3
        assert instance.log.read_text().endswith("finished\n")

    async def test_another_signal_can_ask_for_the_end(self, work: Workbench) -> None:
        instance = await work.start(work.program(programs.FINISH_ON_INT))
        await until(says(instance, "ready"))
        assert (await instance.stop(number=signal.SIGINT, grace=LIMIT)).code == 4

    async def test_one_that_ignores_the_request_is_killed(self, work: Workbench) -> None:
        instance = await work.start(work.program(programs.IGNORE_TERM))
        await until(says(instance, "ready"))
        exit_ = await instance.stop(grace=timedelta(milliseconds=100))
        assert exit_.signal == signal.SIGKILL
        assert instance.processes() == []

    @pytest.mark.parametrize("how", ["marked", "unmarked"])
    async def test_a_daemon_that_detached_itself_ends_with_its_instance(
        self, work: Workbench, how: str
    ) -> None:
        isolation = work.runtime.isolation()
        if how == "unmarked" and not (isolation.processes or isolation.pids):
            pytest.skip("without control groups only a process that keeps its environment is found")
        port = free_port()
        instance = await work.start(work.program(programs.DAEMON, str(port), how))
        await until(lambda: answers(port))
        await until(says(instance, "ready"))
        assert instance.listening_ports() == [port]
        await instance.stop(grace=LIMIT)
        assert instance.processes() == []
        assert not answers(port)

    async def test_children_end_when_the_main_process_ends_by_itself(self, work: Workbench) -> None:
        port = free_port()
        instance = await work.start(work.program(programs.LEAVE_A_CHILD, str(port)))
        assert (await instance.wait()).is_success
        assert not answers(port)

    async def test_a_command_that_does_not_exist_is_named(self, work: Workbench) -> None:
        for command in ("no-such-program", "/no/such/program"):
            with pytest.raises(CommandNotFound, match=command):
                await work.runtime.start(work.spec(command))

    @pytest.mark.parametrize(
        ("content", "mode"),
        [
            ("#!/bin/sh\n", 0o644),
            ("#!/no/such/interpreter\n", 0o755),
            ("echo neither\n", 0o755),
        ],
        ids=["not executable", "wrong interpreter", "no format"],
    )
    async def test_a_file_that_is_no_program_is_named(
        self, work: Workbench, content: str, mode: int
    ) -> None:
        folder = work.root / "app"
        folder.mkdir()
        program = folder / "start-it"
        program.write_text(content)
        program.chmod(mode)
        mounts = (*work.bench.mounts, Mount(folder, str(folder), read_only=True))
        with pytest.raises(CommandNotFound, match="start-it"):
            await work.runtime.start(work.spec(str(program), mounts=mounts))

    async def test_a_line_of_ten_megabytes_reaches_the_log_whole(self, work: Workbench) -> None:
        instance = await work.start(work.program("print('x' * 10_000_000, end='')"))
        assert (await instance.wait()).is_success
        assert instance.log.stat().st_size == 10_000_000

    async def test_the_log_belongs_to_the_owner_alone(self, work: Workbench) -> None:
        instance = await work.start(work.program("print('private')"))
        await instance.wait()
        assert instance.log.stat().st_mode & 0o077 == 0
        assert instance.state.stat().st_mode & 0o077 == 0

    async def test_a_second_life_continues_the_log(self, work: Workbench) -> None:
        for _ in range(2):
            await (await work.start(work.program("print('once more')"))).wait()
        assert (work.spec().state / LOG_NAME).read_text() == "once more\n" * 2

    async def test_a_running_instance_is_not_started_again(self, work: Workbench) -> None:
        spec = work.program(programs.SLEEP)
        instance = await work.start(spec)
        with pytest.raises(InstanceRuns, match=str(instance.pid)):
            await work.runtime.start(spec)

    @pytest.mark.parametrize("pause", [0.0, 0.01, 0.03, 0.1])
    async def test_a_start_that_is_cancelled_leaves_nothing_behind(
        self, work: Workbench, pause: float
    ) -> None:
        starting = asyncio.create_task(work.start(work.program(programs.SLEEP)))
        await asyncio.wait({starting}, timeout=pause)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)  # the workbench looks what is left

    @pytest.mark.parametrize(
        "changes",
        [
            {"id": "Not/An-Id"},
            {"home_label": "a label"},
            {"environment": {"A-B": "1"}},
            {"environment": {"DRYSTONE_INSTANCE": "another"}},
            {"state": Path("relative")},
            {"mounts": (Mount(Path("/no/such/volume"), "/no/such/volume"),)},
        ],
        ids=["id", "label", "variable", "reserved", "state", "mount"],
    )
    async def test_a_spec_that_cannot_work_is_refused(
        self, work: Workbench, changes: dict[str, object]
    ) -> None:
        with pytest.raises(SpecInvalid):
            await work.runtime.start(msgspec.structs.replace(work.spec("true"), **changes))
