from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.errors import StatementRefused
from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADD = "INSERT INTO t (x) VALUES (%(x)s)"
ALL = "SELECT x FROM t ORDER BY x"


@pytest_asyncio.fixture(loop_scope="module")
async def database(server: Postgres) -> AsyncIterator[Database]:
    access = await provision(server.admin(), "several", connections=5, password="word")
    database = Database(access, "several")
    await database.fetch("DROP TABLE IF EXISTS t")
    await database.fetch("CREATE TABLE t (x int CHECK (x < 10))")
    yield database
    await database.close()


async def test_each_statement_has_its_rows_and_sees_what_those_before_it_did(
    database: Database,
) -> None:
    for _ in range(12):  # often enough for the driver to have the server prepare them
        found = await database.fetch_each(
            ("TRUNCATE t", {}),
            (ALL, {}),
            (ADD, {"x": 1}),
            (ALL, {}),
            (ADD + " RETURNING x", {"x": 2}),
        )
        assert found == [[], [], [], [(1,)], [(2,)]]


async def test_nothing_to_execute_has_no_rows(database: Database) -> None:
    assert await database.fetch_each() == []


@pytest.mark.parametrize("bad", ["SELECT nothing", ADD], ids=["unknown", "unfit"])
async def test_one_that_is_refused_leaves_nothing_of_the_others(
    database: Database, bad: str
) -> None:
    with pytest.raises(StatementRefused):
        await database.fetch_each((ADD, {"x": 1}), (bad, {"x": 11}), (ADD, {"x": 2}))
    assert await database.fetch(ALL) == []


async def test_within_a_transaction_they_go_back_with_it(database: Database) -> None:
    async def add() -> None:
        async with database.session() as session, session.transaction():
            await session.fetch(ADD, x=1)
            assert await session.fetch_each((ALL, {}), (ADD, {"x": 2})) == [[(1,)], []]
            await session.fetch(ADD, x=11)

    with pytest.raises(StatementRefused):
        await add()
    assert await database.fetch(ALL) == []


async def test_a_session_that_was_refused_is_of_use_again(database: Database) -> None:
    async with database.session() as session:
        with pytest.raises(StatementRefused):
            await session.fetch_each(("SELECT nothing", {}), (ALL, {}))
        assert await session.fetch_each((ADD, {"x": 3}), (ALL, {})) == [[], [(3,)]]
