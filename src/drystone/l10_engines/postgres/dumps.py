"""A copy of one database in a file, and a database that is made of it.

The copy and the sums of its tables are taken from one snapshot, which an idle session holds: so what a copy holds is known to the row
without reading the copy, and whoever makes a database of it can prove that nothing is missing. Writers go on meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import structs
from psycopg import errors, sql

from drystone.l00_kernel.errors import Unavailable
from drystone.l10_engines.postgres import moving, places
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.comparing import Sum, sum_of
from drystone.l10_engines.postgres.programs import run_program
from drystone.l10_engines.postgres.statements import (
    Connection,
    alone,
    connected,
    drop_database,
    make_database,
    run,
)

_LOCK_LIMIT = "20s"
"""How long a table may be held by somebody else, a migration say, before the copy is given up."""

ROLES = ".roles"
_ROLES = (
    "SELECT DISTINCT r.rolname FROM pg_shdepend d JOIN pg_roles r ON r.oid = d.refobjid"
    " WHERE d.refclassid = 'pg_authid'::regclass AND d.dbid ="
    " (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_ATTEMPTS = 20
_PAUSE_S = 0.1


class Dumped(msgspec.Struct, frozen=True):
    """What a copy holds.

    Attributes:
        at: The moment of which it is, by the server's clock.
        tables: Sums of its tables, by schema and name.
    """

    at: datetime
    tables: dict[str, Sum]


async def size_of(access: DatabaseAccess) -> int:
    """Return the bytes that a database takes on the disk.

    Raises:
        Unavailable: The server does not answer.
    """
    async with connected(access) as connection:
        found = await connection.execute("SELECT pg_database_size(current_database())")
        row = await found.fetchone()
        return int(row[0]) if row else 0


async def dump(access: DatabaseAccess, file: Path) -> Dumped:
    """Copy a database into a file that does not exist yet, in the custom format of pg_dump.

    Args:
        access: The database, and a role that may read all of it.
        file: Where to. The roles that own something or may do something are listed beside it, in a file
            with the ending ``.roles``.

    Raises:
        Unavailable: The server does not answer, somebody holds a table too long, or there is no room.
    """
    async with connected(access) as connection, connection.transaction():
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        await connection.execute("SET LOCAL idle_in_transaction_session_timeout TO 0")
        found = await connection.execute("SELECT pg_export_snapshot(), clock_timestamp()")
        row = await found.fetchone()
        assert row is not None  # noqa: S101 - it has one row
        snapshot, at = str(row[0]), row[1]
        words = (
            "--format=custom",
            "--compress=gzip:1",
            f"--snapshot={snapshot}",
            f"--lock-wait-timeout={_LOCK_LIMIT}",
            f"--exclude-schema={moving.SCHEMA}",
            "--no-publications",
            "--no-subscriptions",
            f"--file={file}",
        )
        roles = await connection.execute(_ROLES)
        file.with_suffix(ROLES).write_text(
            "".join(f"{name}\n" for (name,) in await roles.fetchall())
        )
        summing = asyncio.create_task(asyncio.to_thread(_sums, access, snapshot))
        try:
            await run_program("pg_dump", words, access)
            return Dumped(at, await summing)
        finally:
            await asyncio.wait((summing,))


async def measure(access: DatabaseAccess) -> dict[str, Sum]:
    """Add every table of a database up, by schema and name.

    Raises:
        Unavailable: The server does not answer.
    """
    return await asyncio.to_thread(_sums, access, None)


def _sums(access: DatabaseAccess, snapshot: str | None) -> dict[str, Sum]:
    with moving.connected(access.url(), autocommit=False) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if snapshot is not None:
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
        every = moving.tables(connection)
        return {f"{table.schema}.{table.name}": sum_of(connection, table) for table in every}


async def lay_out(
    admin: DatabaseAccess, who: str, file: Path, *, role: str, jobs: int = 2
) -> DatabaseAccess:
    """Make a new database of a copy; one that lies there from an earlier attempt goes first.

    Args:
        admin: A role that may make databases.
        who: The new database's name.
        file: The copy, from :func:`dump`.
        role: The role that may connect to it later.
        jobs: Connections that load at the same time.

    Returns:
        The new database, as the administrator reaches it.

    Raises:
        Unavailable: The server does not answer, or the copy cannot be loaded.
    """
    async with connected(admin) as connection, alone(connection, who):
        await drop_database(connection, who)
        places.SCRATCH_GONE.reach()
        await make_database(connection, who)
        await run(connection, "GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}", who, role)
        await _make_roles(connection, file.with_suffix(ROLES).read_text().splitlines())
    inside = structs.replace(admin, database=who)
    words = ("--exit-on-error", f"--jobs={jobs}", f"--dbname={who}", str(file))
    await run_program("pg_restore", words, inside)
    places.SCRATCH_LOADED.reach()
    return inside


async def put_in_place(admin: DatabaseAccess, scratch: str, who: str) -> None:
    """Give a database the name of another one, which goes with its data; both names change at once.

    Sessions of both are ended. Repeating it after it was done changes nothing.

    Args:
        admin: A role that may make databases.
        scratch: The database that comes.
        who: The name that it gets.

    Raises:
        Unavailable: The server does not answer, or somebody connects again and again.
    """
    former = f"{scratch[:58]}_old"
    async with connected(admin) as connection, alone(connection, who):
        names = await _existing(connection, (scratch, who, former))
        if scratch in names:
            if former in names and who in names:
                await drop_database(connection, former)
            await _swap(connection, scratch, who, former, has_former=who in names)
        places.SWAPPED.reach()
        await drop_database(connection, former)


async def _swap(
    connection: Connection, scratch: str, who: str, former: str, *, has_former: bool
) -> None:
    for attempt in range(_ATTEMPTS):
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = ANY(%s) AND pid <> pg_backend_pid()",
            ([scratch, who],),
        )
        try:
            async with connection.transaction():
                if has_former:
                    await run(connection, "ALTER DATABASE {} RENAME TO {}", who, former)
                await run(connection, "ALTER DATABASE {} RENAME TO {}", scratch, who)
        except errors.ObjectInUse:
            await asyncio.sleep(_PAUSE_S * (attempt + 1))
        else:
            return
    raise Unavailable(f"somebody connects to {who} again and again; stop it and try again")


async def _existing(connection: Connection, names: Sequence[str]) -> set[str]:
    found = await connection.execute(
        "SELECT datname FROM pg_database WHERE datname = ANY(%s)", (list(names),)
    )
    return {str(row[0]) for row in await found.fetchall()}


async def _make_roles(connection: Connection, names: Sequence[str]) -> None:
    """Make the roles that a copy names and that are not there, so that nobody can log in as one of them."""
    found = await connection.execute("SELECT rolname FROM pg_roles")
    known = {str(row[0]) for row in await found.fetchall()}
    for name in names:
        if name not in known:
            await run(connection, "CREATE ROLE {} NOLOGIN", name)


async def discard(admin: DatabaseAccess, who: str) -> None:
    """Drop a database with its data. Idempotent.

    Raises:
        Unavailable: The server does not answer.
    """
    async with connected(admin) as connection, alone(connection, who):
        await drop_database(connection, who)
