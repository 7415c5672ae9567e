"""Tables of a platform service: from nothing, from each older state, and never backwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from drystone.l10_engines.postgres.database import Database
from drystone.l10_engines.postgres.errors import MigrationsDiverged, StatementRefused
from drystone.l10_engines.postgres.migrating import Step, migrate, steps_of
from drystone.l10_engines.postgres.schemas import provision
from drystone.l10_engines.postgres.server import Postgres

pytestmark = pytest.mark.asyncio(loop_scope="module")

STEPS = (
    Step(1, "0001_tea.sql", "CREATE TABLE tea (name text); INSERT INTO tea VALUES ('assam')"),
    Step(2, "0002_price.sql", "ALTER TABLE tea ADD COLUMN price int; UPDATE tea SET price = 3"),
    Step(3, "0003_index.sql", "CREATE INDEX tea_price ON tea (price)"),
)


@pytest_asyncio.fixture(loop_scope="module")
async def database(server: Postgres, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    service = request.node.originalname[-40:]
    access = await provision(server.admin(), service, connections=10, password="first")
    access = await provision(server.admin(), service, connections=10, password="second")
    one = Database(access, service)
    yield one
    await one.fetch("DROP TABLE IF EXISTS tea, migration")
    await one.close()


@pytest.mark.parametrize("older", range(4))
async def test_from_every_older_state_the_way_leads_to_the_present(
    database: Database, older: int
) -> None:
    assert await migrate(database, "teas", STEPS[:older]) == [s.name for s in STEPS[:older]]
    assert await migrate(database, "teas", STEPS) == [s.name for s in STEPS[older:]]
    assert await migrate(database, "teas", STEPS) == []
    assert await database.fetch("SELECT * FROM tea") == [("assam", 3)]


async def test_processes_that_start_at_once_take_each_step_once(database: Database) -> None:
    done = await asyncio.gather(*(migrate(database, "teas", STEPS) for _ in range(4)))
    assert sorted(name for names in done for name in names) == [step.name for step in STEPS]


async def test_a_step_that_fails_leaves_nothing_and_those_before_it(database: Database) -> None:
    broken = (
        STEPS[0],
        Step(2, "0002_broken.sql", "CREATE TABLE half (a int); SELECT * FROM nowhere"),
    )
    with pytest.raises(StatementRefused, match="UndefinedTable"):
        await migrate(database, "teas", broken)
    assert await database.fetch("SELECT to_regclass('half')") == [(None,)]
    assert await migrate(database, "teas", STEPS) == ["0002_price.sql", "0003_index.sql"]


async def test_tables_of_a_newer_or_another_version_are_left_alone(database: Database) -> None:
    await migrate(database, "teas", STEPS)
    with pytest.raises(MigrationsDiverged, match=r"been through 0003_index\.sql"):
        await migrate(database, "teas", STEPS[:2])
    changed = (Step(1, "0001_tea.sql", "SELECT 1"), *STEPS[1:])
    with pytest.raises(MigrationsDiverged, match=r"another 0001_tea\.sql"):
        await migrate(database, "teas", changed)


async def test_parts_of_one_schema_count_for_themselves(database: Database) -> None:
    await migrate(database, "teas", STEPS)
    assert await migrate(database, "cups", (Step(1, "0001_cups.sql", "SELECT 1"),))


async def test_the_steps_of_every_package_are_numbered_without_a_gap() -> None:
    root = Path(__file__).parents[3] / "src"
    packages = {file.parents[1] for file in root.rglob("migrations/*.sql")}
    assert packages
    for package in packages:
        assert steps_of(".".join(package.relative_to(root).parts))
