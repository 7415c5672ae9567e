"""What goes wrong around workflows: code that changed, workers that are missing, a database that goes away or back."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from msgspec import structs

from drystone.l00_kernel.ports import NullLog
from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.errors import DatabaseUnavailable, StatementRefused
from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres
from drystone.l10_engines.processes import identity
from drystone.l10_engines.supervision import record
from drystone.l10_engines.workflows import statements
from drystone.l10_engines.workflows.attempts import Step
from drystone.l10_engines.workflows.errors import (
    NotParked,
    TooManySignals,
    WorkflowHasEnded,
    WorkflowNotFound,
)
from drystone.l10_engines.workflows.journal import Ending, Entry, Journal
from drystone.l10_engines.workflows.model import State
from drystone.l10_engines.workflows.run import Run
from drystone.l10_engines.workflows.workflows import MOST_SIGNALS
from l10_engines.workflows.stage import QUICK, Stage, kind_of

pytestmark = pytest.mark.asyncio(loop_scope="session")
NAMED = re.compile(r"%\((\w+)\)s")


async def done(step: Step) -> str:
    return step.key


def doing(*names: str) -> Callable[[Run, str], Awaitable[str]]:
    """Return a function that does a step of each name, and rests before the last."""

    async def work(run: Run, _: str) -> str:
        for name in names[:-1]:
            await run.step(name, done, returns=str)
        await run.wait("go", carries=str)
        return await run.step(names[-1], done, returns=str)

    return work


async def test_the_server_prepares_every_statement(stage: Stage) -> None:
    texts = {name: text for name, text in vars(statements).items() if name.isupper()}
    assert len(texts) > 30
    async with stage.database.session() as session:
        for name, text in texts.items():
            numbers = {word: n for n, word in enumerate(dict.fromkeys(NAMED.findall(text)), 1)}
            plain = NAMED.sub("{}", text).format(
                *(f"${numbers[word]}" for word in NAMED.findall(text))
            )
            await session.run_script(f"PREPARE one_{name} AS {plain}")


async def test_changed_code_parks_what_other_code_began_and_its_own_code_ends_it(
    stage: Stage,
) -> None:
    old, new = kind_of(doing("a", "b", "c")), kind_of(doing("a", "x", "c"))
    async with stage.worker(old):
        await stage.workflows.start(old, "w", "x")
        await stage.until("w", lambda one: one.waits_for is not None)
    async with stage.worker(new):
        await stage.workflows.signal("w", "go", "")
        view = await stage.until("w", lambda one: one.state is State.PARKED)
        assert view.trouble is not None
        said = view.trouble.sentence()
        assert "at place 1 the journal has step 'b' and the code comes to step 'x'" in said
    async with stage.worker(old):
        await stage.workflows.resume("w")
        assert await stage.workflows.result("w", gives=str) == "w:3"
        with pytest.raises(NotParked, match="is done and not parked"):
            await stage.workflows.resume("w")


async def test_code_that_ends_before_its_journal_does_is_changed_code(stage: Stage) -> None:
    async def shorter(run: Run, _: str) -> str:
        return await run.step("a", done, returns=str)

    old, new = kind_of(doing("a", "b", "c")), kind_of(shorter)
    async with stage.worker(old):
        await stage.workflows.start(old, "w", "x")
        await stage.until("w", lambda one: one.waits_for is not None)
    async with stage.worker(new):
        await stage.workflows.signal("w", "go", "")
        view = await stage.until("w", lambda one: one.state is State.PARKED)
    assert view.trouble is not None
    assert "comes to the end of the function" in view.trouble.message
    await stage.workflows.abandon("w", "the code is gone")
    with pytest.raises(WorkflowHasEnded):
        await stage.workflows.abandon("w", "again")
    with pytest.raises(WorkflowNotFound):
        await stage.workflows.abandon("nobody", "x")


async def test_each_version_ends_under_its_own_code_and_one_that_nobody_knows_is_told(
    stage: Stage,
) -> None:
    one, two = kind_of(doing("a", "b")), kind_of(doing("x", "y"), version=2)
    await stage.workflows.start(one, "old", "x")
    await stage.workflows.start(two, "new", "x")
    for id_ in ("old", "new"):
        await stage.workflows.signal(id_, "go", "")
    async with stage.worker(two):
        assert await stage.workflows.result("new", gives=str) == "new:2"
        await stage.database.fetch(
            "UPDATE workflow SET wake_at = wake_at - interval '1 hour' WHERE id = 'old'"
        )
        (stuck,) = await stage.workflows.stuck()
        assert stuck.id == "old"
        assert stuck.reason == "no worker knows work version 1; those that are there know: work 2"
    async with stage.worker(one, two):
        assert await stage.workflows.result("old", gives=str) == "old:2"
    assert await stage.names("old") == ["step a", "wait go", "step b"]


async def test_what_ends_every_worker_that_takes_it_up_is_parked(stage: Stage) -> None:
    settings = structs.replace(QUICK, patience=3)
    tries = 0

    async def work(run: Run, _: str) -> str:
        async def deadly(_: Step) -> None:
            nonlocal tries
            tries += 1
            await stage.database.fetch("UPDATE workflow SET wake_at = clock_timestamp()")
            await asyncio.Event().wait()  # as if the process were gone

        await run.step("deadly", deadly)
        return "never"

    kind = kind_of(work)
    async with stage.worker(kind, settings=structs.replace(settings, grace=timedelta())):
        await stage.workflows.start(kind, "w", "x")
        view = await stage.until("w", lambda one: one.state is State.PARKED)
    assert tries == 3
    assert view.trouble is not None
    assert "came no further than place 0" in view.trouble.message


async def test_a_database_that_goes_back_in_time_repeats_and_loses_nothing_that_it_knows(
    stage: Stage,
) -> None:
    keys: list[str] = []
    paused, go_on = asyncio.Event(), asyncio.Event()

    async def work(run: Run, _: str) -> str:
        async def do(step: Step) -> str:
            keys.append(step.key)
            if step.key == "w:2" and not go_on.is_set():
                paused.set()
                await go_on.wait()
            return step.key

        return "".join([await run.step(f"s{n}", do, returns=str) for n in range(4)])

    kind = kind_of(work)
    async with stage.worker(kind) as worker:
        await stage.workflows.start(kind, "w", "x")
        await paused.wait()
        # As a restore to the moment before the second step would: even the lease still lasts.
        await stage.database.fetch("DELETE FROM step WHERE seq >= 1")
        go_on.set()
        async with asyncio.timeout(30):
            while worker.running:  # noqa: ASYNC110 - it has nothing that tells
                await asyncio.sleep(0.005)
        await stage.database.fetch("UPDATE workflow SET wake_at = clock_timestamp()")
        assert await stage.workflows.result("w", gives=str) == "w:0w:1w:2w:3"
    assert keys == ["w:0", "w:1", "w:2", "w:1", "w:2", "w:3"]
    assert [step.seq for step in await stage.workflows.steps("w")] == [0, 1, 2, 3]


async def test_a_server_that_dies_and_returns_under_load_loses_nothing(
    server: Postgres, stage: Stage
) -> None:
    undone: list[str] = []

    async def work(run: Run, _: str) -> str:
        async def do(step: Step) -> str:
            undone.append(step.key)
            return step.key

        return [await run.step(f"s{n}", do, returns=str) for n in range(10)][-1]

    kind = kind_of(work)
    settings = structs.replace(QUICK, lease=timedelta(seconds=3))
    ids = [f"w{n}" for n in range(30)]
    async with stage.worker(kind, settings=settings), stage.worker(kind, settings=settings):
        for id_ in ids:
            await stage.workflows.start(kind, id_, "x")
        await stage.until(ids[5], lambda one: one.attempt > 0)
        for process in record.processes_in(server.data, server.program):
            identity.send(process, signal.SIGKILL)
        await server.start()
        stage.database.access = structs.replace(stage.database.access, port=server.admin().port)
        for id_ in ids:
            async with asyncio.timeout(60):
                while True:
                    try:
                        assert await stage.workflows.result(id_, gives=str) == f"{id_}:9"
                        break
                    except DatabaseUnavailable:
                        await asyncio.sleep(0.05)
    assert set(undone) == {f"{id_}:{n}" for id_ in ids for n in range(10)}


async def test_ten_thousand_sleepers_are_one_look_into_an_index(stage: Stage) -> None:
    await stage.database.fetch(
        "INSERT INTO workflow (id, kind, version, input, wake_at, waits_for, attempt)"
        " SELECT 's' || n, 'work', 1, '\"\"', clock_timestamp() + interval '1 day', 'sleep', 1"
        " FROM generate_series(1, 10000) n"
    )
    await stage.database.fetch("ANALYZE workflow")
    rows = await stage.database.fetch(
        "EXPLAIN (ANALYZE, BUFFERS OFF, TIMING OFF, SUMMARY OFF, COSTS OFF) SELECT id FROM workflow"
        " WHERE kind = 'work' AND version = 1 AND wake_at <= statement_timestamp() ORDER BY wake_at LIMIT 100"
    )
    plan = " ".join(str(row[0]) for row in rows)
    assert "workflow_due" in plan
    assert "rows=0" in plan.split("workflow_due", 1)[1]

    async def work(_: Run, word: str) -> str:
        return word

    kind = kind_of(work)
    async with stage.worker(kind) as worker:
        await stage.workflows.start(kind, "w", "x")
        assert await stage.workflows.result("w", gives=str) == "x"
        assert worker.running == 0


async def test_what_ended_long_ago_is_forgotten_whole(stage: Stage) -> None:
    async def work(run: Run, _: str) -> str:
        await run.wait("go", carries=str)
        return await run.step("a", done, returns=str)

    kind = kind_of(work)
    async with stage.worker(kind):
        for id_ in ("old", "new", "open"):
            await stage.workflows.start(kind, id_, "x")
        for id_ in ("old", "new"):
            await stage.workflows.signal(id_, "go", "")
            await stage.workflows.result(id_, gives=str)
    await stage.database.fetch(
        "UPDATE workflow SET ended_at = ended_at - interval '2 days' WHERE id = 'old'"
    )
    assert await stage.workflows.forget(kept=timedelta(days=1)) == 1
    assert await stage.ids() == ["new", "open"]
    left = await stage.database.fetch("SELECT workflow FROM step UNION SELECT workflow FROM signal")
    assert left == [("new",)]
    assert await stage.workflows.start(kind, "old", "again")


async def test_a_workflow_cannot_be_drowned_in_signals(stage: Stage) -> None:
    kind = kind_of(doing("a"))
    await stage.workflows.start(kind, "w", "x")
    await stage.database.fetch("UPDATE workflow SET signals = %(n)s", n=MOST_SIGNALS)
    with pytest.raises(TooManySignals, match="1000"):
        await stage.workflows.signal("w", "go", "x")


async def test_nobody_reaches_the_tables_of_another_service(server: Postgres, stage: Stage) -> None:
    access = await provision(server.admin(), "other", connections=2, password="another")
    other = Database(access, "stage")
    try:
        with pytest.raises(StatementRefused, match="UndefinedTable"):
            await other.fetch("SELECT id FROM workflow")
        with pytest.raises(StatementRefused, match="InsufficientPrivilege"):
            await other.fetch("SELECT id FROM stage.workflow")
    finally:
        await other.close()


@pytest.mark.parametrize(
    ("owner", "attempt", "lease"),
    [("new", 2, "1 hour"), ("old", 1, "-1 second"), ("old", 2, "1 hour")],
)
async def test_nothing_lands_that_is_written_by_who_does_not_own_the_workflow_now(
    stage: Stage, owner: str, attempt: int, lease: str
) -> None:
    await stage.workflows.start(kind_of(doing("a")), "w", "x")
    await stage.database.fetch(
        "UPDATE workflow SET owner = %(owner)s, attempt = %(attempt)s,"
        " wake_at = clock_timestamp() + %(lease)s::interval",
        owner=owner,
        attempt=attempt,
        lease=lease,
    )
    before = await stage.database.fetch("SELECT w::text FROM workflow w")
    journal = Journal(stage.database, "old", NullLog())
    writing = asyncio.create_task(journal.run())
    mine = {"id": "w", "attempt": 1}
    until = await stage.database.fetch("SELECT clock_timestamp()")
    rest = {"until": until[0][0], "waits_for": "x", "signals": None, "heeds_cancel": True}
    for what in (
        Entry(workflow="w", attempt=1, seq=0, kind="step", name="a", output='"x"'),
        Ending(workflow="w", attempt=1, state="done", result='"x"'),
        Ending(workflow="w", attempt=1, state="done", result='"x"', queue="q", parent="p"),
        journal.update(statements.REST, **mine, **rest),
        journal.update(statements.PARK, **mine, trouble="{}"),
        journal.update(statements.WRITE_TROUBLE, **mine, seq=0, tries=1, trouble="{}"),
    ):
        assert not await journal.write(what)
    writing.cancel()
    assert await stage.database.fetch("SELECT w::text FROM workflow w") == before
    assert await stage.database.fetch("SELECT seq FROM step") == []
