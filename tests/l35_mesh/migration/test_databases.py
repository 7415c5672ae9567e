"""A database moves between two real ones while somebody writes to it; the mover dies at every step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psycopg
import pytest
import pytest_asyncio
from typing_extensions import override

from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l10_engines.postgres import copying, moving
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.databases import Databases
from drystone.l10_engines.postgres.moving import Diverged, Unmovable
from drystone.l10_engines.postgres.server import Postgres
from drystone.l35_mesh.migration import databases as places
from drystone.l35_mesh.migration.databases import ATTEMPTS, DatabaseMove
from drystone.testing.conformance.engines import started
from l35_mesh.migration.writing import Writing

TABLES = """
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number int UNIQUE NOT NULL, note text,
  at timestamptz DEFAULT now(), price numeric, body jsonb, raw bytea, tags text[],
  twice int GENERATED ALWAYS AS (number * 2) STORED);
CREATE TABLE "odd Name" (key text PRIMARY KEY, orders_id bigint REFERENCES orders (id));
CREATE TABLE log (line text, value float8);
ALTER TABLE log REPLICA IDENTITY FULL;
CREATE TABLE parts (id int, name text, PRIMARY KEY (id, name)) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
"""
NAME = "move"
QUICK, OTHERS = places.DRAINED, (places.COPIED, places.APPLIED, places.FENCED, places.VERIFIED)
STEPS = [QUICK, *(pytest.param(one, marks=pytest.mark.slow) for one in (*OTHERS, places.SWITCHED))]


class Ends(msgspec.Struct):
    """The old and the new database: as who uses them, and as who administers the server."""

    old: DatabaseAccess
    new: DatabaseAccess
    admin: DatabaseAccess

    def administered(self, one: DatabaseAccess) -> str:
        return msgspec.structs.replace(self.admin, database=one.database).url()

    def move(self, told: list[str] | None = None) -> DatabaseMove:
        said = [] if told is None else told
        return DatabaseMove(
            self.administered(self.old), self.administered(self.new), NAME, said.append
        )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Postgres]:
    async with started(lambda home: Postgres("postgres", home / "postgres")) as engine:
        yield engine


@pytest_asyncio.fixture(loop_scope="module")
async def ends(server: Postgres) -> AsyncIterator[Ends]:
    made = Databases(server)
    old = await made.provision("dev.orders.old", connections=20, password="a")
    new = await made.provision("dev.orders.new", connections=20, password="b")
    with psycopg.connect(old.url()) as connection:
        connection.execute(TABLES)
        connection.execute(
            "INSERT INTO orders (number, note, raw) VALUES (-1, 'ä ''\\', '\\x00ff')"
        )
        connection.execute("INSERT INTO parts VALUES (1, 'a'), (150, 'b')")
    yield Ends(old, new, server.admin())
    await made.drop("dev.orders.old")
    await made.drop("dev.orders.new")


class Writer(Writing):
    """Writes to a database."""

    more = 20

    def __init__(self, access: DatabaseAccess) -> None:
        super().__init__()
        self._access = access
        self.acknowledged: list[int] = []

    @override
    def _write(self) -> None:
        number = 0
        with psycopg.connect(self._access.url(), autocommit=True) as connection:
            while not self._stop.is_set():
                number += 1
                try:
                    with connection.transaction():
                        self._change(connection, number)
                except psycopg.errors.InsufficientPrivilege:
                    self.refused += 1
                    self._stop.wait(0.005)
                else:
                    self.acknowledged.append(number)
                    self.written += 1
                if number > 10:
                    self.enough.set()

    def _change(self, connection: psycopg.Connection[tuple[object, ...]], number: int) -> None:
        connection.execute(
            "INSERT INTO orders (number, note, price, body, raw, tags) VALUES (%s, %s, 1.10, %s, %s, %s)",
            (number, f"n{number}\n\\'", '{"a": [1, null]}', bytes([number % 256, 0]), ["x", "y,z"]),
        )
        connection.execute("INSERT INTO log VALUES ('line', 0.1), ('line', 0.1)")
        connection.execute("INSERT INTO parts VALUES (%s, %s)", (number % 200, f"p{number}"))
        if number % 3 == 0:
            connection.execute(
                "UPDATE orders SET note = 'changed', number = -number - 1 WHERE number = %s",
                (number,),
            )
            connection.execute("UPDATE log SET value = 2 WHERE ctid = (SELECT min(ctid) FROM log)")
        if number % 5 == 0:
            connection.execute("DELETE FROM parts WHERE name = %s", (f"p{number - 1}",))
        if number % 50 == 0:
            connection.execute("TRUNCATE log")
        connection.execute('INSERT INTO "odd Name" SELECT %s, max(id) FROM orders', (f"k{number}",))


def rows(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def hold_the_same(ends: Ends, acknowledged: list[int]) -> None:
    """Every acknowledged row is in the new database, once, and the two are equal."""
    for statement in (
        "SELECT * FROM orders ORDER BY id",
        'SELECT * FROM "odd Name" ORDER BY 1',
        "SELECT * FROM log ORDER BY 1, 2",
        "SELECT * FROM parts ORDER BY 1, 2",
    ):
        assert rows(ends.administered(ends.new), statement) == rows(
            ends.administered(ends.old), statement
        )
    numbers = [
        abs(int(str(n)))
        for (n,) in rows(ends.administered(ends.new), "SELECT number FROM orders WHERE number > 0")
    ]
    numbers += [
        -int(str(n)) - 1
        for (n,) in rows(ends.administered(ends.new), "SELECT number FROM orders WHERE number < -1")
    ]
    assert sorted(numbers) == acknowledged


def test_no_row_is_lost_or_doubled_under_load(ends: Ends) -> None:
    told: list[str] = []
    move = ends.move(told)
    switched: list[str] = []
    with Writer(ends.old) as writer:
        move.begin()
        writer.until_more()
        move.follow(lambda lag: len(writer.acknowledged) > 60 and lag < 1 << 20)
        writer.until_more()
        move.cut_over(lambda: switched.append("now"))
        writer.stop()
        assert writer.refused > 0
    assert switched == ["now"]
    hold_the_same(ends, writer.acknowledged)
    # A transaction that the fence cut short has taken a number, too.
    taken = rows(ends.administered(ends.old), "SELECT max(id) FROM orders")[0][0]
    (following,) = rows(
        ends.administered(ends.new), "INSERT INTO orders (number) VALUES (0) RETURNING id"
    )
    assert int(str(following[0])) > int(str(taken))
    assert told[-1].startswith("the new side has everything")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows(ends.old.url(), "DELETE FROM orders")
    with moving.connected(ends.administered(ends.old)) as connection:
        assert not moving.slot_exists(connection, NAME)


PROGRAM = """
import sys
from pathlib import Path
from drystone.l00_kernel import fault_points
from drystone.l35_mesh.migration.databases import ATTEMPTS, DatabaseMove
source, target, fault, run = sys.stdin.read().split()
fault_points.arm(f"{fault}:kill", Path(run), print)
move = DatabaseMove(source, target, "move", print)
move.begin()
move.follow(lambda lag: lag < 1 << 20)
move.cut_over(lambda: None)
"""


@pytest.mark.parametrize("point", STEPS, ids=lambda point: str(point.name))
def test_a_mover_that_is_killed_at_any_step_goes_on_by_the_same_command(
    ends: Ends, point: FaultPoint, tmp_path: Path
) -> None:
    with Writer(ends.old) as writer:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            input="\n".join(
                [
                    ends.administered(ends.old),
                    ends.administered(ends.new),
                    point.name,
                    str(tmp_path),
                ]
            ),
            text=True,
            capture_output=True,
            check=False,
            env=dict(os.environ),
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        move = ends.move()
        move.begin()
        move.follow(lambda lag: lag < 1 << 20)
        move.cut_over(lambda: None)
        writer.stop()
    hold_the_same(ends, writer.acknowledged)


@pytest.mark.slow
@pytest.mark.parametrize(
    "point", [places.COPIED, places.FENCED, places.DRAINED], ids=lambda p: str(p.name)
)
def test_a_move_that_was_cut_short_can_be_given_up(
    ends: Ends, point: FaultPoint, tmp_path: Path
) -> None:
    with Writer(ends.old) as writer:
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            input="\n".join(
                [
                    ends.administered(ends.old),
                    ends.administered(ends.new),
                    point.name,
                    str(tmp_path),
                ]
            ),
            text=True,
            capture_output=True,
            check=False,
        )
        ends.move().give_up()
        before = len(writer.acknowledged)
        writer.refused = 0
        writer.until_more()
        writer.stop()
        assert len(writer.acknowledged) > before
    with moving.connected(ends.administered(ends.old)) as connection:
        assert not moving.slot_exists(connection, NAME)


def test_a_new_database_that_somebody_else_changes_is_found_and_the_old_one_goes_on(
    ends: Ends,
) -> None:
    move = ends.move()
    move.begin()
    with psycopg.connect(ends.administered(ends.new)) as connection:
        connection.execute("UPDATE orders SET note = 'other'")
    with pytest.raises(Diverged, match=r"public\.orders: other values"):
        move.cut_over(lambda: pytest.fail("nothing may move"))
    rows(ends.old.url(), "INSERT INTO orders (number) VALUES (7) RETURNING id")


def test_a_table_whose_rows_nothing_tells_apart_is_refused_and_stays_usable(ends: Ends) -> None:
    rows_of = "CREATE TABLE bare (a int); INSERT INTO bare VALUES (1)"
    with psycopg.connect(ends.old.url()) as connection:
        connection.execute(rows_of)
    with pytest.raises(Unmovable, match=r"bare.*REPLICA IDENTITY FULL"):
        ends.move().begin()
    with psycopg.connect(ends.old.url()) as connection:
        connection.execute("UPDATE bare SET a = 2")


def test_a_new_database_with_rows_of_its_own_is_refused(ends: Ends) -> None:
    with psycopg.connect(ends.new.url()) as connection:
        connection.execute(TABLES)
        connection.execute("INSERT INTO log VALUES ('mine', 1)")
    with pytest.raises(Unmovable, match=r"public\.log"):
        ends.move().begin()


def emptying(ends: Ends, monkeypatch: pytest.MonkeyPatch, *, times: int) -> list[str]:
    """Let somebody change a table and empty it right after a snapshot, so many times; return the snapshots."""
    taken: list[str] = []
    snapshot = copying.snapshot

    @contextmanager
    def then_emptied(url: str, slot: str) -> Iterator[tuple[str, str]]:
        with snapshot(url, slot) as (name, place):
            taken.append(name)
            if len(taken) <= times:
                with psycopg.connect(ends.old.url()) as connection:
                    connection.execute("UPDATE log SET value = 2")
                    connection.execute("TRUNCATE log")
                    connection.execute("INSERT INTO log VALUES ('line', 3)")
            yield name, place

    monkeypatch.setattr(copying, "snapshot", then_emptied)
    return taken


def test_tables_are_copied_again_when_one_is_emptied_as_the_copy_begins(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = emptying(ends, monkeypatch, times=1)
    rows(ends.old.url(), "INSERT INTO log VALUES ('line', 1) RETURNING line")
    move = ends.move()
    move.begin()
    assert len(taken) == 2
    move.cut_over(lambda: None)
    assert rows(ends.administered(ends.new), "SELECT line, value FROM log") == [("line", 3.0)]


def test_a_table_that_is_emptied_all_the_time_is_refused_and_the_old_server_keeps_nothing(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptying(ends, monkeypatch, times=ATTEMPTS)
    with pytest.raises(Unmovable, match=rf"public\.log was emptied.*{ATTEMPTS} times"):
        ends.move().begin()
    with moving.connected(ends.administered(ends.old)) as connection:
        assert not moving.slot_exists(connection, NAME)


def test_tables_that_exist_are_filled_by_a_role_without_privileges(ends: Ends) -> None:
    with psycopg.connect(ends.new.url()) as connection:
        connection.execute(TABLES)
    move = DatabaseMove(ends.administered(ends.old), ends.new.url(), NAME, lambda _: None)
    with Writer(ends.old) as writer:
        move.begin()
        move.cut_over(lambda: None)
        writer.stop()
    hold_the_same(ends, writer.acknowledged)
