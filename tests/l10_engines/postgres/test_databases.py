from __future__ import annotations

import asyncio
import uuid

import psycopg
import pytest
import pytest_asyncio
from msgspec import structs
from psycopg import sql

from drystone.l00_kernel.errors import Invalid, Unavailable
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.databases import Databases
from drystone.l10_engines.postgres.external import ExternalPostgres
from drystone.l10_engines.postgres.server import Postgres

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def databases(server: Postgres) -> Databases:
    return Databases(server)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def curious(server: Postgres) -> DatabaseAccess:
    """The access of a service that tries what it may not."""
    return await provision(Databases(server), "curious")


@pytest.fixture
def name() -> str:
    return f"shop-{uuid.uuid4().hex[:8]}/main"


async def run(access: DatabaseAccess, statement: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(access.url(), autocommit=True) as connection:
        done = await connection.execute(statement.encode())
        return await done.fetchall() if done.description else []


async def provision(databases: Databases, name: str, connections: int = 3) -> DatabaseAccess:
    return await databases.provision(name, connections=connections, password="p:w/d ?%ü")


async def test_a_service_works_in_its_own_database(databases: Databases, name: str) -> None:
    access = await provision(databases, name)
    await run(access, "CREATE TABLE t (x int)")
    await run(access, "INSERT INTO t VALUES (1)")
    assert await run(access, "SELECT x, current_user FROM t") == [(1, access.user)]
    assert await databases.exists(name)


async def test_provisioning_again_keeps_data_and_takes_the_new_password_and_limit(
    databases: Databases, name: str
) -> None:
    before = await provision(databases, name)
    await run(before, "CREATE TABLE t AS SELECT 1 AS x")
    after = await databases.provision(name, connections=1, password="other")
    assert await run(after, "SELECT x FROM t") == [(1,)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await run(before, "SELECT 1")
    async with await psycopg.AsyncConnection.connect(after.url()):
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            await run(after, "SELECT 1")


async def test_a_service_reaches_no_other_database(
    databases: Databases, server: Postgres, name: str
) -> None:
    mine = await provision(databases, name)
    theirs = await provision(databases, f"{name}-other")
    for other in (theirs.database, server.admin().database, "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            await run(structs.replace(mine, database=other), "SELECT 1")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE DATABASE more",
        "DROP DATABASE curious",
        "CREATE ROLE somebody",
        "CREATE SCHEMA more",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "ALTER ROLE CURRENT_USER CONNECTION LIMIT 100",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT rolpassword FROM pg_authid",
        "ALTER SYSTEM SET fsync = off",
        "SELECT pg_create_logical_replication_slot('mine', 'pgoutput')",
    ],
)
async def test_a_service_may_not(curious: DatabaseAccess, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await run(curious, statement)


async def test_statements_and_idle_transactions_end_some_day(curious: DatabaseAccess) -> None:
    assert await run(
        curious,
        "SELECT current_setting('statement_timeout'),"
        " current_setting('idle_in_transaction_session_timeout')",
    ) == [("5min", "2min")]


async def test_the_vector_extension_works(databases: Databases, name: str) -> None:
    access = await databases.provision(
        name, connections=2, password="x", extensions=["vector", "plpgsql"]
    )
    assert await run(access, "SELECT '[1,2]'::vector <-> '[1,3]'::vector") == [(1.0,)]


async def test_an_extension_that_is_not_there_is_refused_before_anything_is_made(
    databases: Databases, name: str
) -> None:
    with pytest.raises(Invalid, match=r"no extension postgis; it has: plpgsql, vector"):
        await databases.provision(name, connections=2, password="x", extensions=["postgis"])
    assert not await databases.exists(name)


@pytest.mark.parametrize("connections", [0, 196])
async def test_connections_that_the_server_does_not_have_are_refused(
    databases: Databases, name: str, connections: int
) -> None:
    with pytest.raises(Invalid, match="1 to 195 connections"):
        await provision(databases, name, connections)


async def test_drop_ends_sessions_and_leaves_neither_database_nor_role(
    databases: Databases, server: Postgres, name: str
) -> None:
    access = await provision(databases, name)
    session = await psycopg.AsyncConnection.connect(access.url())
    try:
        await databases.drop(name)
        with pytest.raises(psycopg.OperationalError):
            await session.execute("SELECT 1")
    finally:
        await session.close()
    assert not await databases.exists(name)
    count = sql.SQL("SELECT count(*) FROM pg_roles WHERE rolname = {}").format(access.user)
    assert await run(server.admin(), count.as_string()) == [(0,)]
    await databases.drop(name)


async def test_drop_finishes_what_an_interrupted_drop_left(
    databases: Databases, server: Postgres, name: str
) -> None:
    access = await provision(databases, name)
    drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(access.database))
    await run(server.admin(), drop.as_string())
    await databases.drop(name)
    again = await provision(databases, name)
    assert await run(again, "SELECT 1") == [(1,)]


async def test_a_database_whose_drop_was_interrupted_is_made_anew(
    databases: Databases, server: Postgres, name: str
) -> None:
    access = await provision(databases, name)
    await run(access, "CREATE TABLE t (x int)")
    mark = sql.SQL("UPDATE pg_database SET datconnlimit = -2 WHERE datname = {}")
    await run(server.admin(), mark.format(access.database).as_string())
    assert not await databases.exists(name)
    access = await provision(databases, name)
    assert await run(access, "SELECT to_regclass('t')") == [(None,)]


async def test_a_replication_slot_does_not_hold_a_drop_up(
    databases: Databases, server: Postgres, name: str
) -> None:
    access = await provision(databases, name)
    inside = structs.replace(server.admin(), database=access.database)
    await run(inside, "SELECT pg_create_logical_replication_slot('changes', 'pgoutput')")
    await databases.drop(name)
    assert not await databases.exists(name)


async def test_many_at_once_do_not_get_into_each_others_way(
    databases: Databases, name: str
) -> None:
    made = await asyncio.gather(*(provision(databases, f"{name}{i % 3}") for i in range(9)))
    assert len({access.database for access in made}) == 3
    for access in set(made[:3]):
        assert await run(access, "SELECT 1") == [(1,)]


async def test_the_password_is_in_no_repr_and_not_in_the_servers_log(
    databases: Databases, server: Postgres, name: str
) -> None:
    access = await databases.provision(name, connections=1, password="unmistakable")
    assert "unmistakable" not in repr(access)
    assert "unmistakable" not in server.log.read_text()


async def test_an_external_server_works_with_an_administrator_who_is_no_superuser(
    databases: Databases, server: Postgres, name: str
) -> None:
    role = f"dba_{uuid.uuid4().hex[:8]}"
    await run(server.admin(), f"CREATE ROLE {role} LOGIN CREATEDB CREATEROLE PASSWORD 'dba'")
    url = f"postgresql://{role}:dba@127.0.0.1:{server.port}/postgres"
    await run(server.admin(), f"GRANT CONNECT ON DATABASE postgres, template1 TO {role}")
    external = ExternalPostgres("elsewhere", url)
    await external.start()
    managed = Databases(external)
    access = await provision(managed, name)
    await run(access, "CREATE TABLE t (x int)")
    assert access.port == server.port
    await managed.drop(name)
    assert not await databases.exists(name)


async def test_an_administrator_who_is_refused_is_told_what_and_where(server: Postgres) -> None:
    url = structs.replace(server.admin(), password="wrong").url()
    with pytest.raises(Unavailable, match=f"127.0.0.1:{server.port} refused") as caught:
        await provision(Databases(ExternalPostgres("elsewhere", url)), "any")
    assert "wrong" not in str(caught.value)
