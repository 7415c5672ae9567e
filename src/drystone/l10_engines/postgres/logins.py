"""The two roles by which a service may log in to its database, so that a password can be replaced while the former one still works.

A role has one password. So there is a second role, which is a member of the first and becomes it as it logs in (``SET role``, as a
setting of its own): whatever it makes belongs to the first, and everything that the first may do it may do. Only while a password is
being replaced may both log in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from psycopg import sql
from typing_extensions import override

from drystone.l10_engines.postgres import statements
from drystone.l10_engines.postgres.names import identifier

if TYPE_CHECKING:
    from drystone.l10_engines.postgres.statements import Connection


class Login(msgspec.Struct, frozen=True):
    """How a service logs in; its ``repr`` hides the passwords.

    Attributes:
        password: Of the role in use.
        is_second: Whether that is the second one.
        other: The other role's password while both may log in; None when the other may not.
    """

    password: str
    is_second: bool = False
    other: str | None = None

    @override
    def __repr__(self) -> str:
        return f"Login(is_second={self.is_second})"

    @property
    def first_password(self) -> str | None:
        """The first role's password; None when it may not log in."""
        return self.other if self.is_second else self.password

    @property
    def second_password(self) -> str | None:
        """The second role's password; None when it may not log in."""
        return self.password if self.is_second else self.other


def second_of(who: str) -> str:
    """Name the second role of a database."""
    return identifier(f"{who}.second")


async def bring_about(connection: Connection, who: str, login: Login, *, connections: int) -> None:
    """Let the roles of a database log in as is said, and end the sessions of the one that may not. Idempotent.

    Args:
        connection: Of the administrator.
        who: The database and its first role.
        login: Who may log in.
        connections: How many connections each may hold at once.
    """
    second = second_of(who)
    await statements.make_role(
        connection, who, password=login.first_password, connections=connections
    )
    if login.second_password is not None:
        await statements.make_role(
            connection,
            second,
            password=login.second_password,
            connections=connections,
            member_of=who,
        )
        await statements.run(connection, "GRANT {} TO {}", who, second)
        await _take_settings_over(connection, who, second)
        await statements.run(connection, "ALTER ROLE {} SET role = {}", second, who)
    elif await statements.role_exists(connection, second):
        await statements.run(connection, "ALTER ROLE {} NOLOGIN PASSWORD NULL", second)
    for role, password in ((who, login.first_password), (second, login.second_password)):
        if password is None:
            await _end_sessions(connection, role)


async def drop_second(connection: Connection, who: str) -> None:
    """Drop the second role of a database that is gone. Idempotent."""
    second = second_of(who)
    if await statements.role_exists(connection, second):
        await statements.run(connection, "DROP OWNED BY {}", second)
        await statements.run(connection, "DROP ROLE IF EXISTS {}", second)


async def hand_over(inside: Connection, who: str) -> None:
    """Give what the second role made in its own name to the first; sessions that were reset forget whom they became."""
    second = second_of(who)
    if await statements.role_exists(inside, second):
        await statements.run(inside, "GRANT {} TO CURRENT_USER", second)
        await statements.run(inside, "REASSIGN OWNED BY {} TO {}", second, who)


async def _take_settings_over(connection: Connection, who: str, second: str) -> None:
    """Give the second role the settings that the service gave the first one, everywhere or in its database."""
    found = await connection.execute(
        "SELECT coalesce(d.datname, ''), split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)"
        " FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole"
        " LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) c WHERE r.rolname = %s",
        (who,),
    )
    for database, name, value in await found.fetchall():
        if name == "role":
            continue
        where = (
            sql.SQL("IN DATABASE {} ").format(sql.Identifier(database)) if database else sql.SQL("")
        )
        # A list of names is read as one only from a setting that is in force.
        async with connection.transaction():
            await connection.execute("SELECT set_config(%s, %s, true)", (name, value))
            await connection.execute(
                sql.SQL("ALTER ROLE {} {}SET {} FROM CURRENT").format(
                    sql.Identifier(second), where, sql.Identifier(*name.split("."))
                )
            )


async def _end_sessions(connection: Connection, role: str) -> None:
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (role,)
    )
