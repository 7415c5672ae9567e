"""The log on a real server: chained under concurrency, closed to its own writer, and honest about what was done to it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from typing_extensions import override

from drystone.l00_kernel.clock import ManualClock
from drystone.l00_kernel.context import Caller, Context
from drystone.l00_kernel.errors import Denied, Invalid
from drystone.l00_kernel.ports import Field, Level, NullLog
from drystone.l10_engines.postgres.errors import DatabaseUnavailable, StatementRefused
from drystone.l10_engines.postgres.migrating import Step, migrate, steps_of
from drystone.l50_orchestrator.audit import store
from drystone.l50_orchestrator.audit.api import AuditApi, Verdict
from drystone.l50_orchestrator.audit.domain import BEGINNING
from drystone.l50_orchestrator.audit.errors import (
    EntryUnfit,
    HeadsUnreadable,
    NothingRestored,
    NotMended,
    SecretInEntry,
)
from drystone.l50_orchestrator.audit.service import EVERY, Audits
from drystone.l50_orchestrator.ports import Actor
from drystone.testing.orchestrator import AllowByRole
from drystone.testing.reaches import REACHES, Reach, reach
from l50_orchestrator.audit.ground import ADA, BOOK, CTX, Ground, audits, make

pytestmark = pytest.mark.asyncio(loop_scope="session")

VERBS = ("SELECT", "INSERT")
NAMED = re.compile(r"%\((\w+)\)s")
PAGE = Path(__file__).parents[3] / "docs/how-to/audit.md"


def told(verdict: Verdict) -> tuple[str, int]:
    assert verdict.problem is not None
    assert not verdict.is_whole
    return verdict.problem.fault, verdict.problem.number


async def test_the_server_prepares_every_statement(ground: Ground) -> None:
    texts = {
        n: t for n, t in vars(store).items() if n.isupper() and str(t).lstrip().startswith(VERBS)
    }
    assert len(texts) == 7
    async with ground.database.session() as session:
        for name, text in texts.items():
            numbers = {w: n for n, w in enumerate(dict.fromkeys(NAMED.findall(text)), 1)}
            plain = NAMED.sub("{}", text).format(
                *(f"${numbers[word]}" for word in NAMED.findall(text))
            )
            await session.run_script(f"PREPARE one_{name} AS {plain}")


async def test_an_empty_log_is_whole(ground: Ground) -> None:
    assert await ground.audits.verify(CTX) == Verdict(True, 0, "", 0, 0, 0)
    assert await ground.audits.checkpoint() is None
    assert not ground.file.exists()


async def test_what_is_not_committed_leaves_neither_entry_nor_gap(ground: Ground) -> None:
    await ground.note("a.first")

    async def fail() -> None:
        async with ground.database.session() as session, session.transaction():
            await BOOK.note(session, ADA, "a.lost", "prod/orders")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    await ground.note("a.second")
    page = await ground.audits.entries(CTX)
    assert [(e.number, e.action) for e in page.items] == [(2, "a.second"), (1, "a.first")]
    assert page.items[0].previous == page.items[1].hash
    assert page.items[1].previous == BEGINNING
    assert (await ground.audits.verify(CTX)).is_whole


async def test_an_entry_says_who_was_behind_a_token_and_under_which_glass(ground: Ground) -> None:
    await ground.note("a.b", actor=Actor("token:x1", "token", behind="ada", glass=3), share=0.5)
    (entry,) = (await ground.audits.entries(CTX, actor="ada")).items
    assert (entry.actor, entry.kind, entry.behind, entry.glass) == ("token:x1", "token", "ada", 3)
    assert entry.fields == {"share": 0.5}
    assert entry.text == '{"share":0.5}'


async def test_writers_at_once_make_one_chain(ground: Ground) -> None:
    async def write(writer: int) -> None:
        for number in range(12):
            await ground.note("release.deployed", f"prod/s{writer}", release=number)

    await asyncio.gather(*(write(writer) for writer in range(8)))
    verdict = await ground.audits.verify(CTX)
    assert (verdict.is_whole, verdict.entries) == (True, 96)


async def test_a_secret_ends_the_transaction_that_would_have_written_it(ground: Ground) -> None:
    with pytest.raises(SecretInEntry):
        await ground.note("a.b", note="dry_" + "x" * 49)
    assert (await ground.audits.verify(CTX)).entries == 0


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO audit_entry SELECT 2, at, actor, kind, behind, glass, action, subject, fields, 'x', hash FROM audit_entry",
        "UPDATE audit_entry SET actor = 'eve'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "DROP TABLE audit_entry",
        "ALTER TABLE audit_entry DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_entry_stays ON audit_entry",
        "GRANT UPDATE ON audit_entry TO CURRENT_USER",
        "CREATE OR REPLACE FUNCTION audit_entry_stays() RETURNS trigger LANGUAGE sql AS 'SELECT 1'",
        "SET session_replication_role = replica",
        "DROP FUNCTION audit_append",
        "ALTER FUNCTION audit_append RESET search_path",
    ],
)
async def test_who_writes_the_log_cannot_change_it(ground: Ground, statement: str) -> None:
    await ground.note("a.b")
    try:
        await ground.database.fetch(statement)
    except StatementRefused:
        pass
    else:
        # A grant of what one does not have is a warning, and grants nothing.
        assert statement.startswith("GRANT")
    with pytest.raises(StatementRefused):
        await ground.database.fetch("UPDATE audit_entry SET actor = 'eve'")
    assert (await ground.audits.verify(CTX)).entries == 1


async def test_a_table_of_the_session_does_not_take_the_place_of_the_log(ground: Ground) -> None:
    await ground.note("a.first")
    # A platform's own database gives this right to nobody; another one may.
    await ground.superuser.fetch("GRANT TEMPORARY ON DATABASE drystone_platform TO PUBLIC")
    async with ground.database.session() as session:
        await session.fetch("CREATE TEMPORARY TABLE audit_entry AS SELECT * FROM audit_entry")
        async with session.transaction():
            await BOOK.note(session, ADA, "a.second", "prod/orders")
        ((shadow,),) = await session.fetch("SELECT count(*) FROM audit_entry")
        await session.fetch("DROP TABLE pg_temp.audit_entry")
    await ground.superuser.fetch("REVOKE TEMPORARY ON DATABASE drystone_platform FROM PUBLIC")
    assert shadow == 1
    assert [e.action for e in (await ground.audits.entries(CTX)).items] == ["a.second", "a.first"]


async def test_a_superuser_who_forgets_the_trigger_is_refused_by_it(ground: Ground) -> None:
    await ground.note("a.b")
    for statement in ("UPDATE audit_entry SET actor = 'eve'", "TRUNCATE audit_entry"):
        with pytest.raises(StatementRefused):
            await ground.superuser.fetch(statement)


async def test_sealing_again_changes_nothing_and_the_service_may_still_make_tables(
    ground: Ground,
) -> None:
    await store.seal(ground.superuser.access, ground.database)
    await store.prepare(ground.database)
    await ground.database.fetch("CREATE TABLE another (id int)")
    await ground.note("a.b")


async def test_an_entry_that_a_superuser_edits_is_named(ground: Ground) -> None:
    await ground.fill(1200)
    await ground.tamper("UPDATE audit_entry SET subject = 'prod/billing' WHERE number = 1101")
    assert told(await ground.audits.verify(CTX)) == ("changed", 1101)


async def test_fields_that_are_no_json_any_more_are_listed_and_told(ground: Ground) -> None:
    await ground.fill(2)
    await ground.tamper("UPDATE audit_entry SET fields = 'x' WHERE number = 2")
    assert (await ground.audits.entries(CTX)).items[0].text == "x"
    assert told(await ground.audits.verify(CTX)) == ("changed", 2)


async def test_a_row_that_is_deleted_from_the_middle_is_named(ground: Ground) -> None:
    await ground.fill(5)
    await ground.tamper("DELETE FROM audit_entry WHERE number = 3")
    assert told(await ground.audits.verify(CTX)) == ("missing", 3)


async def test_a_row_in_front_of_the_first_is_found(ground: Ground) -> None:
    await ground.fill(2)
    await ground.tamper(
        "ALTER TABLE audit_entry DROP CONSTRAINT audit_entry_number_check",
        "INSERT INTO audit_entry SELECT -1, at, actor, kind, behind, glass, action, subject, fields, 'x', hash"
        " FROM audit_entry WHERE number = 1",
    )
    assert told(await ground.audits.verify(CTX)) == ("missing", 1)


async def test_an_end_that_is_cut_off_is_found_by_the_head_outside(ground: Ground) -> None:
    await ground.fill(5)
    assert await ground.audits.checkpoint() is None
    await ground.tamper("DELETE FROM audit_entry WHERE number > 3")
    assert told(await ground.audits.verify(CTX)) == ("cut", 4)
    problem = await ground.audits.checkpoint()
    assert problem is not None
    assert (problem.fault, problem.number) == ("cut", 4)
    assert len(ground.heads.read()) == 1


async def test_without_a_head_outside_a_cut_end_is_not_seen_and_the_verdict_says_so(
    ground: Ground,
) -> None:
    await ground.fill(5)
    await ground.tamper("DELETE FROM audit_entry WHERE number > 3")
    verdict = await ground.audits.verify(CTX)
    assert (verdict.is_whole, verdict.entries, verdict.anchored) == (True, 3, 0)


async def test_a_database_restored_to_yesterday_is_told_until_somebody_accepts_it(
    ground: Ground,
) -> None:
    await ground.fill(3)
    await ground.audits.checkpoint()
    await ground.tamper("CREATE TABLE yesterday AS SELECT * FROM audit_entry")
    await ground.fill(4)
    await ground.audits.checkpoint()
    await ground.tamper("TRUNCATE audit_entry", "INSERT INTO audit_entry SELECT * FROM yesterday")
    await ground.note("a.after", "prod/orders")
    assert told(await ground.audits.verify(CTX)) == ("cut", 5)
    await ground.fill(6)
    assert told(await ground.audits.verify(CTX)) == ("rewritten", 4)
    with pytest.raises(EntryUnfit):
        await ground.audits.accept_restored(CTX, reason=" ")
    verdict = await ground.audits.accept_restored(CTX, reason="the disk of the server died")
    assert (verdict.is_whole, verdict.entries, verdict.anchored, verdict.accepted) == (
        True,
        11,
        11,
        1,
    )
    (entry,) = (await ground.audits.entries(CTX, action="audit.restored")).items
    assert entry.fields == {
        "reason": "the disk of the server died",
        "agreed_up_to": 3,
        "had_been_at": 7,
    }
    with pytest.raises(NothingRestored):
        await ground.audits.accept_restored(CTX, reason="again")


async def test_an_edited_entry_is_not_explained_by_a_restored_database(ground: Ground) -> None:
    await ground.fill(3)
    await ground.tamper("UPDATE audit_entry SET actor = 'eve' WHERE number = 2")
    with pytest.raises(NotMended, match="entry 2"):
        await ground.audits.accept_restored(CTX, reason="restored")


async def test_the_head_is_written_once_for_the_same_end(ground: Ground) -> None:
    await ground.fill(2)
    for _ in range(3):
        assert await ground.audits.checkpoint() is None
    assert [head.number for head in ground.heads.read()] == [2]
    assert ground.file.stat().st_mode & 0o777 == 0o600
    verdict = await ground.audits.verify(CTX)
    assert (verdict.anchored, verdict.heads) == (2, 1)


async def test_a_head_that_a_power_cut_left_half_written_is_none(ground: Ground) -> None:
    await ground.fill(1)
    await ground.audits.checkpoint()
    with ground.file.open("a") as file:
        file.write("2 abc")
    await ground.fill(1)
    assert (await ground.audits.verify(CTX)).heads == 1
    await ground.audits.checkpoint()
    assert [head.number for head in ground.heads.read()] == [1, 2]


@pytest.mark.parametrize(
    "line", ["x", f"1 {'a' * 64} 2026-13-01T00:00:00.000000Z", "1 a b restored"]
)
async def test_a_line_that_is_no_head_is_told_by_its_number(ground: Ground, line: str) -> None:
    await ground.fill(1)
    await ground.audits.checkpoint()
    with ground.file.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(HeadsUnreadable, match="line 2 "):
        await ground.audits.verify(CTX)


def killed_writer(ground: Ground) -> None:
    """Run a writer until it has said five times that an entry is committed, and kill it."""
    access = msgspec.json.encode(ground.access).decode()
    command = [sys.executable, "-m", "l50_orchestrator.audit.writer", access, ground.name]
    folder = Path(__file__).parents[2]
    with subprocess.Popen(
        [*command, str(ground.file)], stdout=subprocess.PIPE, cwd=folder
    ) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(5)]
        writer.kill()
    assert said[-1] == b"5\n"


async def test_a_writer_that_is_killed_leaves_a_whole_chain_and_its_heads(ground: Ground) -> None:
    await asyncio.to_thread(killed_writer, ground)
    await ground.note("a.b")
    verdict = await ground.audits.verify(CTX)
    assert verdict.is_whole
    assert verdict.entries >= 6
    assert verdict.anchored >= 5


async def test_the_statement_of_the_documentation_finds_what_was_changed(ground: Ground) -> None:
    found = re.search(r"```sql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found is not None
    await ground.fill(4)
    await ground.note("a.b", "prod/örders", note='"ü, 4:x,"')
    async with ground.superuser.session() as session:
        assert await session.fetch(found[1]) == []
        await ground.audits.verify(CTX)
    await ground.tamper("UPDATE audit_entry SET actor = 'eve' WHERE number = 2")
    async with ground.superuser.session() as session:
        assert await session.fetch(found[1]) == [(2,)]


async def test_a_list_comes_in_pages_and_can_be_narrowed(ground: Ground) -> None:
    for number in range(5):
        await ground.note("release.deployed", "prod/orders", release=number)
    await ground.note("release.rolled-back", "prod/billing", Actor("bob", "person"))
    first = await ground.audits.entries(CTX, most=4)
    assert [e.number for e in first.items] == [6, 5, 4, 3]
    second = await ground.audits.entries(CTX, most=4, cursor=first.next)
    assert [e.number for e in second.items] == [2, 1]
    assert second.next is None
    narrowings: list[tuple[dict[str, str], list[int]]] = [
        ({"actor": "bob"}, [6]),
        ({"subject": "prod/orders"}, [5, 4, 3, 2, 1]),
        ({"action": "release.rolled-back"}, [6]),
        ({"action": "release."}, [6, 5, 4, 3, 2, 1]),
        ({"action": "release"}, []),
        ({"subject": "' OR 1=1 --"}, []),
    ]
    for narrowed, numbers in narrowings:
        page = await ground.audits.entries(CTX, **narrowed)  # type: ignore[arg-type]
        assert [e.number for e in page.items] == numbers
    middle = first.items[2].at
    since = await ground.audits.entries(CTX, since=middle)
    until = await ground.audits.entries(CTX, until=middle)
    assert {e.number for e in since.items} | {e.number for e in until.items} == set(range(1, 7))
    assert {e.number for e in until.items} == {1, 2, 3}


@pytest.mark.parametrize(
    "asked", [{"most": 0}, {"most": 1001}, {"cursor": "x"}, {"cursor": "LTE"}, {"actor": "\x00"}]
)
async def test_what_cannot_be_asked_is_refused(ground: Ground, asked: dict[str, int | str]) -> None:
    with pytest.raises(Invalid):
        await ground.audits.entries(CTX, **asked)  # type: ignore[arg-type]


async def test_who_may_not_read_the_log_does_not(ground: Ground) -> None:
    stranger = Context(Caller("eve"))
    with pytest.raises(Denied):
        await ground.audits.entries(stranger)
    with pytest.raises(Denied):
        await ground.audits.verify(stranger)
    with pytest.raises(Denied):
        await ground.audits.accept_restored(stranger, reason="x")


@pytest.mark.parametrize("how", REACHES)
async def test_the_log_is_read_the_same_in_every_reach(ground: Ground, how: Reach) -> None:
    for number in range(5):
        await ground.note("release.deployed", release=number)
    await ground.audits.checkpoint()
    where = msgspec.json.encode(ground.access).decode()
    # Here the ground closes what it made; a process of its own ends.
    maker = make if how == "alone" else (lambda *_: audits(ground.database, ground.file))
    async with reach(how, AuditApi, maker, where, ground.name, str(ground.file)) as api:
        first = await api.entries(CTX, most=3)
        second = await api.entries(CTX, most=3, cursor=first.next)
        assert [e.number for e in (*first.items, *second.items)] == [5, 4, 3, 2, 1]
        assert await api.verify(CTX) == await ground.audits.verify(CTX)
        with pytest.raises(NothingRestored):
            await api.accept_restored(CTX, reason="nothing is gone")
        with pytest.raises(Denied):
            await api.verify(Context(Caller("eve")))


async def test_a_writer_whose_connection_ends_lets_the_next_one_go_and_leaves_no_gap(
    ground: Ground,
) -> None:
    await ground.note("a.first")

    async def cut_off() -> None:
        async with ground.database.session() as session, session.transaction():
            await BOOK.note(session, ADA, "a.lost", "prod/orders")
            ((pid,),) = await session.fetch("SELECT pg_backend_pid()")
            waiting = asyncio.create_task(ground.note("a.second"))
            await ground.superuser.fetch("SELECT pg_terminate_backend(%(pid)s)", pid=pid)
            await waiting
            await session.fetch("SELECT 1")

    with pytest.raises(DatabaseUnavailable):
        await cut_off()
    found = (await ground.audits.entries(CTX)).items
    assert [(e.number, e.action) for e in found] == [(2, "a.second"), (1, "a.first")]
    assert (await ground.audits.verify(CTX)).is_whole


class Heard(NullLog):
    def __init__(self) -> None:
        self.events: list[tuple[Level, object]] = []

    @override
    def write(
        self, level: Level, event: str, *, error: BaseException | None = None, **fields: Field
    ) -> None:
        self.events.append((level, fields.get("fault")))


async def test_who_watches_writes_heads_down_and_tells_of_a_restored_database(
    ground: Ground,
) -> None:
    clock, log = ManualClock(), Heard()
    audits_ = Audits(
        ground.database, gate=AllowByRole(), book=BOOK, heads=ground.heads, clock=clock
    )

    async def rests() -> None:
        async with asyncio.timeout(30):
            while not clock.sleepers:  # noqa: ASYNC110 - what is waited for is a server
                await asyncio.sleep(0.01)

    await ground.fill(3)
    watching = asyncio.create_task(audits_.watch(log))
    await rests()
    assert [head.number for head in ground.heads.read()] == [3]
    await ground.tamper("DELETE FROM audit_entry WHERE number = 3")
    await clock.advance(EVERY)
    await rests()
    await ground.tamper("ALTER TABLE audit_entry RENAME TO away")
    await clock.advance(EVERY)
    await rests()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert log.events == [("error", "cut"), ("warning", None)]


async def test_a_verdict_says_whether_who_writes_the_log_could_change_it(ground: Ground) -> None:
    assert (await ground.audits.verify(CTX)).is_sealed
    owner = f'ALTER TABLE audit_entry OWNER TO "{ground.access.user}"'
    async with ground.superuser.session() as session:
        await session.run_script(owner)
    assert not (await ground.audits.verify(CTX)).is_sealed


async def test_a_later_step_is_carried_out_on_a_sealed_log_by_an_administrator(
    ground: Ground,
) -> None:
    await ground.note("a.b")
    later = Step(2, "0002_later.sql", "ALTER TABLE audit_entry ADD COLUMN later text")
    known = (*steps_of("drystone.l50_orchestrator.audit"), later)
    with pytest.raises(StatementRefused):
        await migrate(ground.database, store.PART, known)
    await store.bring(ground.superuser.access, ground.database, known)
    await store.bring(ground.superuser.access, ground.database, known)
    await ground.note("a.c")
    verdict = await ground.audits.verify(CTX)
    assert (verdict.is_whole, verdict.entries, verdict.is_sealed) == (True, 2, True)
    columns = await ground.database.fetch("SELECT later FROM audit_entry")
    assert columns == [(None,), (None,)]
