"""One database and one role for each service that asks for one, and nothing shared between them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from drystone.l10_engines.postgres import places  # noqa: F401 - for faults, which are armed before
from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.names import identifier
from drystone.l10_engines.postgres.server import PostgresEngine

if TYPE_CHECKING:
    from drystone.l10_engines.postgres.comparing import Sum
    from drystone.l10_engines.postgres.dumps import Dumped
    from drystone.l10_engines.postgres.inspecting import Found

# The statements come with psycopg, which takes a tenth of a second to load: an agent whose home has no
# database, or that changes none, is back sooner without it.


class Databases:
    """Makes and drops databases on one server. Every method may be repeated after any failure.

    A database belongs to the administrator. Its role may connect to it alone, and owns nothing but
    the schema ``public`` in it, where it may do as it likes.

    Args:
        server: The server; it is started.
    """

    def __init__(self, server: PostgresEngine) -> None:
        self._server = server

    async def provision(
        self,
        name: str,
        *,
        connections: int,
        password: str,
        extensions: Sequence[str] = (),
        is_second: bool = False,
        other: str | None = None,
    ) -> DatabaseAccess:
        """Make the database and its role, or bring them to what is asked.

        Args:
            name: Any name; :func:`~drystone.l10_engines.postgres.names.identifier` makes the
                identifier of it.
            connections: How many connections the role may hold at once.
            password: The role's password from now on. The server sees only its SCRAM verifier.
            extensions: Extensions to create.
            is_second: Whether the service logs in by the second role, which is as good as the first
                (:mod:`~drystone.l10_engines.postgres.logins`).
            other: Password of the other role while both may log in; its sessions end when it may not any more.

        Raises:
            Invalid: An extension does not exist here, or the server has fewer connections.
            Unavailable: The server does not answer, or refuses.
        """
        from drystone.l10_engines.postgres import logins, making  # noqa: PLC0415

        admin, who = self._server.admin(), identifier(name)
        user = logins.second_of(who) if is_second else who
        access = structs.replace(admin, database=who, user=user, password=password)
        login = logins.Login(password, is_second, other)
        await making.make(admin, access, login, connections=connections, extensions=extensions)
        return access

    async def differences(
        self,
        name: str,
        *,
        connections: int,
        password: str,
        extensions: Sequence[str] = (),
        is_second: bool = False,
    ) -> Found:
        """Return in what the database and its role are not as :meth:`provision` makes them, and change nothing.

        Raises:
            Unavailable: The server does not answer, or refuses.
        """
        from drystone.l10_engines.postgres import inspecting, logins  # noqa: PLC0415

        admin, who = self._server.admin(), identifier(name)
        user = logins.second_of(who) if is_second else who
        access = structs.replace(admin, database=who, user=user, password=password)
        return await inspecting.differences(
            admin, access, connections=connections, extensions=extensions
        )

    async def exists(self, name: str) -> bool:
        """Tell whether the database is there, whole.

        Raises:
            Unavailable: The server does not answer.
        """
        from drystone.l10_engines.postgres import statements  # noqa: PLC0415

        return await statements.exists(self._server.admin(), identifier(name))

    async def drop(self, name: str) -> None:
        """End every session of the database, drop it with all data, then its role. Idempotent.

        Raises:
            Unavailable: The server does not answer, or refuses.
        """
        from drystone.l10_engines.postgres import making  # noqa: PLC0415

        await making.drop(self._server.admin(), identifier(name))

    async def size(self, name: str) -> int:
        """Return the bytes that the database takes on the disk.

        Raises:
            Unavailable: The server does not answer, or there is no such database.
        """
        from drystone.l10_engines.postgres import dumps  # noqa: PLC0415

        return await dumps.size_of(self._inside(name))

    async def dump(self, name: str, file: Path) -> Dumped:
        """Copy the database into a file; see :func:`~drystone.l10_engines.postgres.dumps.dump`.

        Raises:
            Unavailable: The server does not answer, or there is no room.
        """
        from drystone.l10_engines.postgres import dumps  # noqa: PLC0415

        return await dumps.dump(self._inside(name), file)

    async def lay_out(self, name: str, file: Path) -> DatabaseAccess:
        """Make a database of a copy beside the one that is in use.

        Returns:
            The new one, as the administrator reaches it.

        Raises:
            Unavailable: The server does not answer, or the copy cannot be loaded.
        """
        from drystone.l10_engines.postgres import dumps  # noqa: PLC0415

        scratch = identifier(f"{name}.restoring")
        return await dumps.lay_out(self._server.admin(), scratch, file, role=identifier(name))

    async def measure(self, access: DatabaseAccess) -> dict[str, Sum]:
        """Add every table of a database up.

        Raises:
            Unavailable: The server does not answer.
        """
        from drystone.l10_engines.postgres import dumps  # noqa: PLC0415

        return await dumps.measure(access)

    async def put_in_place(self, scratch: DatabaseAccess, name: str) -> None:
        """Let a database that was laid out take the place of the one in use, which goes with its data.

        Raises:
            Unavailable: The server does not answer.
        """
        from drystone.l10_engines.postgres import dumps  # noqa: PLC0415

        await dumps.put_in_place(self._server.admin(), scratch.database, identifier(name))

    async def discard(self, scratch: DatabaseAccess) -> None:
        """Drop a database that was laid out. Idempotent.

        Raises:
            Unavailable: The server does not answer.
        """
        from drystone.l10_engines.postgres import dumps  # noqa: PLC0415

        await dumps.discard(self._server.admin(), scratch.database)

    def _inside(self, name: str) -> DatabaseAccess:
        """Return how the administrator reaches a database."""
        return structs.replace(self._server.admin(), database=identifier(name))
