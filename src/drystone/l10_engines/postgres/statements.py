"""The statements that make and drop a database and its role."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg
from msgspec import structs
from psycopg import sql
from psycopg.rows import TupleRow

from drystone.l00_kernel.errors import Invalid, Unavailable
from drystone.l10_engines.postgres import places
from drystone.l10_engines.postgres.access import DatabaseAccess

Connection = psycopg.AsyncConnection[TupleRow]

STATEMENT_TIMEOUT = timedelta(minutes=5)
IDLE_IN_TRANSACTION_TIMEOUT = timedelta(minutes=2)
_CONNECT_LIMIT_S = 10
_ADVISORY_SPACE = 0x6472  # keeps our advisory locks apart from those of others
_HALF_DROPPED = -2
"""``datconnlimit`` of a database whose DROP was interrupted (documentation, 51.15)."""


async def make(
    admin: DatabaseAccess, access: DatabaseAccess, *, connections: int, extensions: Sequence[str]
) -> None:
    """Make a database and the role that uses it, or bring them to what is asked.

    Args:
        admin: A role that may make databases and roles.
        access: The database, the role, which has the database's name, and its password.
        connections: How many connections the role may hold at once.
        extensions: Extensions to create.

    Raises:
        Invalid: An extension does not exist here, or the server has fewer connections.
        Unavailable: The server does not answer, or refuses.
    """
    who = access.database
    async with connected(admin) as connection, alone(connection, who):
        await _check_connections(connection, connections)
        await _check_extensions(connection, extensions)
        await make_role(connection, who, password=access.password, connections=connections)
        places.ROLE_MADE.reach()
        await make_database(connection, who)
        await run(connection, "GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}", who, who)
        places.DATABASE_MADE.reach()
        await close_shared_databases(connection)
        async with connected(structs.replace(admin, database=who)) as inside:
            await _furnish(inside, who, extensions)


async def exists(admin: DatabaseAccess, who: str) -> bool:
    """Tell whether a database is there, whole.

    Raises:
        Unavailable: The server does not answer.
    """
    async with connected(admin) as connection:
        return await _connection_limit(connection, who) not in {None, _HALF_DROPPED}


async def drop(admin: DatabaseAccess, who: str) -> None:
    """End every session of a database, drop it with all data, then its role. Idempotent.

    Raises:
        Unavailable: The server does not answer, or refuses.
    """
    async with connected(admin) as connection, alone(connection, who):
        await drop_database(connection, who)
        places.DATABASE_GONE.reach()
        if await _role_exists(connection, who):
            await run(connection, "DROP OWNED BY {}", who)
            await run(connection, "DROP ROLE IF EXISTS {}", who)


@asynccontextmanager
async def connected(access: DatabaseAccess) -> AsyncIterator[Connection]:
    """Connect for some statements.

    Raises:
        Unavailable: The server does not answer, or refuses one of them.
    """
    try:
        async with await psycopg.AsyncConnection.connect(
            access.url(),
            autocommit=True,
            connect_timeout=_CONNECT_LIMIT_S,
            application_name="drystone",
        ) as connection:
            yield connection
    except psycopg.Error as e:
        raise Unavailable(
            f"PostgreSQL at {access.host}:{access.port} refused: "
            f"{e.diag.message_primary or e}; "
            "look into the server's log and try again"
        ) from e


@asynccontextmanager
async def alone(connection: Connection, who: str) -> AsyncIterator[None]:
    """Let one change of a database wait for another, from whichever process."""
    key = (_ADVISORY_SPACE, who)
    await connection.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", key)
    yield
    await connection.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", key)


async def run(connection: Connection, statement: str, *names: str) -> None:
    """Execute a statement whose placeholders are identifiers."""
    composed = sql.SQL(statement).format(*(sql.Identifier(name) for name in names))
    await connection.execute(composed)


async def _role_exists(connection: Connection, who: str) -> bool:
    found = await connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (who,))
    return await found.fetchone() is not None


async def _connection_limit(connection: Connection, who: str) -> int | None:
    """Return ``datconnlimit``, or None where there is no such database."""
    found = await connection.execute(
        "SELECT datconnlimit FROM pg_database WHERE datname = %s", (who,)
    )
    row = await found.fetchone()
    return int(row[0]) if row else None


async def _check_connections(connection: Connection, connections: int) -> None:
    found = await connection.execute(
        "SELECT current_setting('max_connections')::int"
        " - current_setting('superuser_reserved_connections')::int"
    )
    row = await found.fetchone()
    most = int(row[0]) if row else 0
    if not 1 <= connections <= most:
        raise Invalid(
            f"a database may be given 1 to {most} connections on this server, not {connections}"
        )


async def _check_extensions(connection: Connection, extensions: Sequence[str]) -> None:
    found = await connection.execute("SELECT name FROM pg_available_extensions ORDER BY name")
    available = [str(row[0]) for row in await found.fetchall()]
    missing = sorted(set(extensions) - set(available))
    if missing:
        raise Invalid(
            f"this PostgreSQL has no extension {', '.join(missing)}; it has: {', '.join(available)}"
        )


async def make_role(connection: Connection, who: str, *, password: str, connections: int) -> None:
    """Make a role that may log in and nothing else, or give it this password and bound. Idempotent."""
    if not await _role_exists(connection, who):
        await run(connection, "CREATE ROLE {} NOLOGIN", who)
    found = await connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    row = await found.fetchone()
    if not (row and row[0]):  # others may give away only to roles whose member they are
        await run(connection, "GRANT {} TO CURRENT_USER", who)
    verifier = connection.pgconn.encrypt_password(
        password.encode(), who.encode(), b"scram-sha-256"
    ).decode()
    # Without SUPERUSER, REPLICATION and BYPASSRLS: a new role has none of them, and only a superuser
    # may name them, which a managed server's administrator is not.
    await connection.execute(
        sql.SQL(
            "ALTER ROLE {} LOGIN NOCREATEDB NOCREATEROLE CONNECTION LIMIT {} PASSWORD {}"
        ).format(sql.Identifier(who), sql.Literal(connections), sql.Literal(verifier))
    )
    for setting, limit in (
        ("statement_timeout", STATEMENT_TIMEOUT),
        ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT),
    ):
        await connection.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(
                sql.Identifier(who),
                sql.Identifier(setting),
                sql.Literal(f"{int(limit.total_seconds())}s"),
            )
        )


async def make_database(connection: Connection, who: str) -> None:
    """Make a database that nobody may enter, whole where an earlier DROP was cut short. Idempotent."""
    limit = await _connection_limit(connection, who)
    if limit == _HALF_DROPPED:
        await run(connection, "DROP DATABASE {}", who)
        limit = None
    if limit is None:
        await run(connection, "CREATE DATABASE {} TEMPLATE template0", who)
    await run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", who)


async def drop_database(connection: Connection, who: str) -> None:
    """End every session of a database and drop it with all data. Idempotent."""
    if await _connection_limit(connection, who) is not None:
        await _drop_slots(connection, who)
        await run(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", who)


async def close_shared_databases(connection: Connection) -> None:
    """Take from everybody what a new server lets everybody do in the databases that it comes with."""
    async with alone(connection, "postgres"):  # two who change one catalogue row at once: one fails
        found = await connection.execute(
            "SELECT datname FROM pg_database WHERE datname IN ('postgres', 'template1')"
            " AND pg_has_role(datdba, 'USAGE')"
            " AND has_database_privilege('public', oid, 'CONNECT, TEMPORARY')"
        )
        for (name,) in await found.fetchall():
            await run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", str(name))


async def _furnish(inside: Connection, who: str, extensions: Sequence[str]) -> None:
    for extension in extensions:
        await run(inside, "CREATE EXTENSION IF NOT EXISTS {} SCHEMA public", extension)
    await run(inside, "ALTER SCHEMA public OWNER TO {}", who)
    await inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")


async def _drop_slots(connection: Connection, who: str) -> None:
    """Drop the replication slots of a database; DROP DATABASE refuses while there is one."""
    await connection.execute(
        "SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots"
        " WHERE database = %s AND active",
        (who,),
    )
    await connection.execute(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = %s",
        (who,),
    )
