from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from typing_extensions import override

from drystone.l00_kernel.errors import Conflict, Unavailable
from drystone.l10_engines.processes.identity import ProcessId, is_alive
from drystone.l10_engines.supervision import record
from drystone.l10_engines.supervision.errors import EngineFailed, EngineNotFound
from drystone.l10_engines.supervision.launch import Launch, Patience
from drystone.l10_engines.supervision.local import LocalEngine
from drystone.l10_engines.supervision.port import EngineState
from drystone.l10_engines.supervision.supervisor import (
    EngineEvent,
    EventKind,
    Supervisor,
    Watchfulness,
)
from drystone.testing.conformance.engines import LIMIT, eventually

QUICK = Watchfulness(
    first_pause=timedelta(milliseconds=10),
    longest_pause=timedelta(milliseconds=40),
    probe_every=timedelta(milliseconds=30),
    silences=3,
)


class Sleeper(LocalEngine):
    """A real process that does nothing; the files ``mute`` and ``broken`` make it mute or unable to start."""

    program = "sleep"

    def __init__(self, name: str, directory: Path) -> None:
        patience = Patience(silence=timedelta(milliseconds=300), stop=timedelta(milliseconds=300))
        super().__init__(name, directory, memory=1024, patience=patience)
        self.prepared = 0
        self.program_path = shutil.which("sleep") or ""

    @override
    async def prepare(self) -> None:
        self.prepared += 1
        self.data.mkdir(exist_ok=True)

    @override
    def launch(self, ports: dict[str, int]) -> Launch:
        length = "not-a-number" if (self.directory / "broken").exists() else "600"
        return Launch((self.program_path, length), env={})

    @override
    async def probe(self) -> bool:
        return not (self.directory / "mute").exists()

    @override
    async def ask_version(self) -> str:
        return "1.0"


class Observed:
    def __init__(self, *engines: LocalEngine, watchfulness: Watchfulness = QUICK) -> None:
        self.events: list[EngineEvent] = []
        self.supervisor = Supervisor(engines, report=self.events.append, watchfulness=watchfulness)

    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.events]


@asynccontextmanager
async def observed(
    *engines: LocalEngine, watchfulness: Watchfulness = QUICK
) -> AsyncIterator[Observed]:
    watched = Observed(*engines, watchfulness=watchfulness)
    try:
        yield watched
    finally:
        await watched.supervisor.detach()
        for engine in engines:
            await engine.stop()


def processes(engine: LocalEngine) -> tuple[ProcessId, ...]:
    return record.processes_in(engine.data, engine.program)


def kill(engine: LocalEngine) -> None:
    pid = engine.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # its end is seen, its code is left


async def test_an_engine_starts_only_when_it_is_needed(tmp_path: Path) -> None:
    one, other = Sleeper("one", tmp_path / "one"), Sleeper("other", tmp_path / "other")
    async with observed(one, other) as watched:
        assert await watched.supervisor.ensure("one") is one
        states = [status.state for status in watched.supervisor.statuses()]
        assert states == [EngineState.READY, EngineState.STOPPED]


async def test_many_who_need_it_at_once_share_one_start(tmp_path: Path) -> None:
    engine = Sleeper("one", tmp_path / "one")
    async with observed(engine) as watched:
        await asyncio.gather(*(watched.supervisor.ensure("one") for _ in range(10)))
        assert engine.prepared == 1
        assert len(processes(engine)) == 1


async def test_one_who_gives_up_does_not_disturb_the_others(tmp_path: Path) -> None:
    engine = Sleeper("one", tmp_path / "one")
    async with observed(engine) as watched:
        impatient = asyncio.create_task(watched.supervisor.ensure("one"))
        patient = asyncio.create_task(watched.supervisor.ensure("one"))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await patient is engine
        assert impatient.cancelled()


async def test_an_engine_that_ends_is_started_again(tmp_path: Path) -> None:
    engine = Sleeper("one", tmp_path / "one")
    async with observed(engine) as watched:
        await watched.supervisor.ensure("one")
        kill(engine)
        await eventually(lambda: watched.kinds().count(EventKind.READY) == 2)
        assert watched.kinds() == [EventKind.READY, EventKind.ENDED, EventKind.READY]
        assert watched.events[1].detail == "it was ended by SIGKILL"
        assert engine.status().restarts == 1


async def test_pauses_between_restarts_double_up_to_the_longest(tmp_path: Path) -> None:
    engine = Sleeper("one", tmp_path / "one")
    async with observed(engine) as watched:
        await watched.supervisor.ensure("one")
        for round_ in range(4):
            kill(engine)
            await eventually(lambda r=round_: watched.kinds().count(EventKind.READY) == r + 2)  # type: ignore[misc]
        pauses = [event.pause for event in watched.events if event.kind is EventKind.ENDED]
        assert pauses == [timedelta(milliseconds=ms) for ms in (10, 20, 40, 40)]


async def test_an_engine_that_was_healthy_for_long_restarts_at_once_again(tmp_path: Path) -> None:
    engine = Sleeper("one", tmp_path / "one")
    forgiving = Watchfulness(
        first_pause=timedelta(milliseconds=10), healthy_after=timedelta(microseconds=1)
    )
    async with observed(engine, watchfulness=forgiving) as watched:
        await watched.supervisor.ensure("one")
        for round_ in range(3):
            kill(engine)
            await eventually(lambda r=round_: watched.kinds().count(EventKind.READY) == r + 2)  # type: ignore[misc]
        pauses = [event.pause for event in watched.events if event.kind is EventKind.ENDED]
        assert pauses == [timedelta(milliseconds=10)] * 3


async def test_an_engine_that_no_longer_answers_is_replaced(tmp_path: Path) -> None:
    engine = Sleeper("one", tmp_path / "one")
    async with observed(engine) as watched:
        await watched.supervisor.ensure("one")
        (old,) = processes(engine)
        (engine.directory / "mute").touch()
        await eventually(lambda: EventKind.HUNG in watched.kinds())
        (engine.directory / "mute").unlink()
        await eventually(lambda: watched.kinds()[-1] is EventKind.READY)
        assert not is_alive(old)
        assert len(processes(engine)) == 1


async def test_a_first_start_that_fails_is_told_with_the_last_words_and_not_repeated(
    tmp_path: Path,
) -> None:
    engine = Sleeper("one", tmp_path / "one")
    engine.directory.mkdir()
    (engine.directory / "broken").touch()
    async with observed(engine) as watched:
        with pytest.raises(EngineFailed, match=r"exit code 1(.|\n)*invalid time interval"):
            await watched.supervisor.ensure("one")
        assert watched.kinds() == [EventKind.FAILED]
        assert watched.events[0].pause is None
        assert engine.status().state is EngineState.FAILED
        assert "invalid time interval" in engine.status().last_error
        (engine.directory / "broken").unlink()
        await watched.supervisor.ensure("one")
        assert engine.status().state is EngineState.READY
        assert engine.status().last_error == ""


async def test_an_engine_that_ran_is_tried_until_it_runs_again(tmp_path: Path) -> None:
    engine = Sleeper("one", tmp_path / "one")
    async with observed(engine) as watched:
        await watched.supervisor.ensure("one")
        (engine.directory / "broken").touch()
        kill(engine)
        await eventually(lambda: watched.kinds().count(EventKind.FAILED) == 2)
        with pytest.raises(EngineFailed):
            await watched.supervisor.ensure("one")
        (engine.directory / "broken").unlink()
        await eventually(lambda: watched.kinds()[-1] is EventKind.READY)


async def test_one_that_never_answers_is_ended_and_told(tmp_path: Path) -> None:
    engine = Sleeper("one", tmp_path / "one")
    engine.directory.mkdir()
    (engine.directory / "mute").touch()
    async with observed(engine) as watched:
        with pytest.raises(EngineFailed, match=r"runs and does not answer for 0\.3 s"):
            await watched.supervisor.ensure("one")
        assert processes(engine) == ()


async def test_the_last_needed_is_stopped_first(tmp_path: Path) -> None:
    engines = [Sleeper(name, tmp_path / name) for name in ("a", "b", "c")]
    async with observed(*engines) as watched:
        for name in ("b", "c", "a"):
            await watched.supervisor.ensure(name)
        await watched.supervisor.stop_all()
        stopped = [e.engine for e in watched.events if e.kind is EventKind.STOPPED]
        assert stopped == ["a", "c", "b"]
        assert [processes(engine) for engine in engines] == [(), (), ()]


async def test_who_waits_for_an_engine_that_is_stopped_meanwhile_is_told(tmp_path: Path) -> None:
    engine = Sleeper("one", tmp_path / "one")
    engine.directory.mkdir()
    (engine.directory / "mute").touch()
    async with observed(engine) as watched:
        waiting = asyncio.create_task(watched.supervisor.ensure("one"))
        await eventually(lambda: len(processes(engine)) == 1)
        await watched.supervisor.stop_all()
        with pytest.raises(EngineFailed, match="stopped before it was ready"):
            await waiting
        assert processes(engine) == ()


async def test_after_detach_the_engine_goes_on_and_the_next_supervisor_takes_it_over(
    tmp_path: Path,
) -> None:
    async with observed(Sleeper("one", tmp_path / "one")) as first:
        engine = await first.supervisor.ensure("one")
        pid = engine.status().pid
        await first.supervisor.detach()
        assert engine.status().pid == pid
        async with observed(
            Sleeper("one", tmp_path / "one"), Sleeper("two", tmp_path / "2")
        ) as next_:
            assert await next_.supervisor.adopt() == ("one",)
            assert next_.supervisor["one"].status().pid == pid
            assert next_.kinds() == [EventKind.READY]


async def test_what_ended_while_nobody_watched_is_started_by_the_next_supervisor(
    tmp_path: Path,
) -> None:
    first = Sleeper("one", tmp_path / "one")
    await first.start()
    kill(first)
    engine = Sleeper("one", tmp_path / "one")
    await eventually(lambda: engine.status().state is EngineState.FAILED)
    async with observed(engine) as watched:
        assert await watched.supervisor.adopt() == ("one",)
        assert engine.status().state is EngineState.READY


async def test_one_whose_starter_died_before_it_was_recorded_is_taken_care_of_and_not_doubled(
    tmp_path: Path,
) -> None:
    first = Sleeper("one", tmp_path / "one")
    await first.start()
    path = first.directory / "record.json"
    written = record.read(path)
    assert written is not None
    record.write(path, record.Record(record.NOBODY, written.ports, written.memory))
    engine = Sleeper("one", tmp_path / "one")
    async with observed(engine) as watched:
        assert await watched.supervisor.adopt() == ("one",)
        assert watched.kinds() == [EventKind.READY]
        assert [process.pid for process in processes(engine)] == [engine.status().pid]
        assert engine.ports == written.ports


async def test_one_whose_program_could_not_be_started_is_still_wanted(tmp_path: Path) -> None:
    first = Sleeper("one", tmp_path / "one")
    first.program_path = "/no/such/sleep"
    with pytest.raises(Unavailable, match="/no/such/sleep does not start"):
        await first.start()

    later = Sleeper("one", tmp_path / "one")
    assert later.status().state is EngineState.FAILED
    async with asyncio.timeout(LIMIT):
        assert await later.wait() == "it ended"
    async with observed(later) as watched:
        assert await watched.supervisor.adopt() == ("one",)
        assert later.status().state is EngineState.READY


async def test_what_was_stopped_on_purpose_stays_stopped(tmp_path: Path) -> None:
    first = Sleeper("one", tmp_path / "one")
    await first.start()
    await first.stop()
    async with observed(Sleeper("one", tmp_path / "one")) as watched:
        assert await watched.supervisor.adopt() == ()
        assert watched.events == []


async def test_an_adopted_engine_that_cannot_start_is_tried_again(tmp_path: Path) -> None:
    first = Sleeper("one", tmp_path / "one")
    await first.start()
    (first.directory / "broken").touch()
    kill(first)
    engine = Sleeper("one", tmp_path / "one")
    async with observed(engine) as watched:
        await watched.supervisor.adopt()
        assert watched.kinds()[0] is EventKind.FAILED
        (first.directory / "broken").unlink()
        await eventually(lambda: watched.kinds()[-1] is EventKind.READY)


async def test_a_removed_engine_is_stopped_and_unknown(tmp_path: Path) -> None:
    engine = Sleeper("one", tmp_path / "one")
    async with observed(engine) as watched:
        await watched.supervisor.ensure("one")
        await watched.supervisor.remove("one")
        assert processes(engine) == ()
        with pytest.raises(EngineNotFound, match="the engines of this home are: none"):
            await watched.supervisor.ensure("one")


async def test_a_forgotten_engine_goes_on(tmp_path: Path) -> None:
    engine = Sleeper("one", tmp_path / "one")
    async with observed(engine) as watched:
        await watched.supervisor.ensure("one")
        await watched.supervisor.forget("one")
        assert len(processes(engine)) == 1
        watched.supervisor.add(Sleeper("one", tmp_path / "one"))
        await watched.supervisor.ensure("one")
        assert watched.supervisor["one"].status().pid == engine.status().pid


async def test_a_mistake_in_an_engine_is_reported_and_told_to_who_waits(tmp_path: Path) -> None:
    class Mistaken(Sleeper):
        @override
        async def ask_version(self) -> str:
            raise LookupError("a mistake")

    engine = Mistaken("one", tmp_path / "one")
    async with observed(engine) as watched:
        with pytest.raises(LookupError, match="a mistake"):
            await watched.supervisor.ensure("one")
        await eventually(lambda: watched.kinds() == [EventKind.FAILED])
        assert "LookupError" in watched.events[0].detail


async def test_two_engines_of_one_name_are_refused(tmp_path: Path) -> None:
    async with observed(Sleeper("one", tmp_path / "one")) as watched:
        with pytest.raises(Conflict, match="'one'"):
            watched.supervisor.add(Sleeper("one", tmp_path / "two"))


async def test_one_that_ignores_the_request_to_end_is_ended_by_force(tmp_path: Path) -> None:
    engine = Sleeper("one", tmp_path / "one")
    await engine.start()
    pid = engine.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await engine.stop()
    assert processes(engine) == ()
