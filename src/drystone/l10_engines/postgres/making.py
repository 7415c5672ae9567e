"""Makes and drops a database with its roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from drystone.l00_kernel.errors import Invalid
from drystone.l10_engines.postgres import logins, places, statements

if TYPE_CHECKING:
    from drystone.l10_engines.postgres.access import DatabaseAccess
    from drystone.l10_engines.postgres.logins import Login
    from drystone.l10_engines.postgres.statements import Connection


async def make(
    admin: DatabaseAccess,
    access: DatabaseAccess,
    login: Login,
    *,
    connections: int,
    extensions: Sequence[str],
) -> None:
    """Make a database and the role that uses it, or bring them to what is asked.

    Args:
        admin: A role that may make databases and roles.
        access: The database.
        login: Who may log in to it.
        connections: How many connections the role may hold at once.
        extensions: Extensions to create.

    Raises:
        Invalid: An extension does not exist here, or the server has fewer connections.
        Unavailable: The server does not answer, or refuses.
    """
    who = access.database
    async with statements.connected(admin) as connection, statements.alone(connection, who):
        await _check_connections(connection, connections)
        await _check_extensions(connection, extensions)
        await logins.bring_about(connection, who, login, connections=connections)
        places.ROLE_MADE.reach()
        await statements.make_database(connection, who)
        await statements.run(connection, "GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}", who, who)
        places.DATABASE_MADE.reach()
        await statements.close_shared_databases(connection)
        async with statements.connected(structs.replace(admin, database=who)) as inside:
            await _furnish(inside, who, extensions)
            await logins.hand_over(inside, who)


async def drop(admin: DatabaseAccess, who: str) -> None:
    """End every session of a database, drop it with all data, then its role. Idempotent.

    Raises:
        Unavailable: The server does not answer, or refuses.
    """
    async with statements.connected(admin) as connection, statements.alone(connection, who):
        await statements.drop_database(connection, who)
        places.DATABASE_GONE.reach()
        if await statements.role_exists(connection, who):
            await statements.run(connection, "DROP OWNED BY {}", who)
            await logins.drop_second(connection, who)
            await statements.run(connection, "DROP ROLE IF EXISTS {}", who)


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


async def _furnish(inside: Connection, who: str, extensions: Sequence[str]) -> None:
    for extension in extensions:
        await statements.run(inside, "CREATE EXTENSION IF NOT EXISTS {} SCHEMA public", extension)
    await statements.run(inside, "ALTER SCHEMA public OWNER TO {}", who)
    await inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
