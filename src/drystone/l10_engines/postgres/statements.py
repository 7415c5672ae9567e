"""The statements of which making and dropping a database and its roles consist."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from drystone.l00_kernel.errors import Unavailable
from drystone.l10_engines.postgres.access import DatabaseAccess

Connection = psycopg.AsyncConnection[TupleRow]

STATEMENT_TIMEOUT = timedelta(minutes=5)
IDLE_IN_TRANSACTION_TIMEOUT = timedelta(minutes=2)
_CONNECT_LIMIT_S = 10
_ADVISORY_SPACE = 0x6472  # keeps our advisory locks apart from those of others
_HALF_DROPPED = -2
"""``datconnlimit`` of a database whose DROP was interrupted (documentation, 51.15)."""


async def exists(admin: DatabaseAccess, who: str) -> bool:
    """Tell whether a database is there, whole.

    Raises:
        Unavailable: The server does not answer.
    """
    async with connected(admin) as connection:
        return await _connection_limit(connection, who) not in {None, _HALF_DROPPED}


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


async def role_exists(connection: Connection, who: str) -> bool:
    """Tell whether there is a role of this name."""
    found = await connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (who,))
    return await found.fetchone() is not None


async def _connection_limit(connection: Connection, who: str) -> int | None:
    """Return ``datconnlimit``, or None where there is no such database."""
    found = await connection.execute(
        "SELECT datconnlimit FROM pg_database WHERE datname = %s", (who,)
    )
    row = await found.fetchone()
    return int(row[0]) if row else None


async def make_role(
    connection: Connection,
    who: str,
    *,
    password: str | None,
    connections: int,
    member_of: str | None = None,
) -> None:
    """Make a role that may log in and nothing else, or give it this password and bound. Idempotent.

    Args:
        connection: Of the administrator.
        who: The role.
        password: Its password; without one it may not log in.
        connections: How many connections it may hold at once.
        member_of: The one role of which it is a member; None for none.
    """
    if not await role_exists(connection, who):
        await run(connection, "CREATE ROLE {} NOLOGIN", who)
    found = await connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    row = await found.fetchone()
    if row and row[0]:
        await _take_away(connection, who, but=member_of)
    else:  # others may give away only to roles whose member they are
        await run(connection, "GRANT {} TO CURRENT_USER", who)
    verifier = None
    if password is not None:
        verifier = connection.pgconn.encrypt_password(
            password.encode(), who.encode(), b"scram-sha-256"
        ).decode()
    # Without SUPERUSER, REPLICATION and BYPASSRLS: a new role has none of them, and only a superuser
    # may name them, which a managed server's administrator is not.
    await connection.execute(
        sql.SQL("ALTER ROLE {} {} NOCREATEDB NOCREATEROLE CONNECTION LIMIT {} PASSWORD {}").format(
            sql.Identifier(who),
            sql.SQL("NOLOGIN" if verifier is None else "LOGIN"),
            sql.Literal(connections),
            sql.Literal(verifier),
        )
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


async def _take_away(connection: Connection, who: str, *, but: str | None) -> None:
    """Take from a role what somebody gave it by hand, but membership of one role."""
    await run(connection, "ALTER ROLE {} NOSUPERUSER NOREPLICATION NOBYPASSRLS", who)
    found = await connection.execute(
        "SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid"
        " JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = %s AND g.rolname <> %s",
        (who, but or ""),
    )
    for (other,) in await found.fetchall():
        await run(connection, "REVOKE {} FROM {}", str(other), who)


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
