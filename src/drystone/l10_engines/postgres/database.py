"""A platform service's way to its own tables: sessions, transactions, and errors that say whether to try again.

A service has a role and a schema of its own (``schemas.py``), and its statements name tables without a schema: the
search path leads there and nowhere else. Values go beside the statement, never into it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any, LiteralString, TypeAlias

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from drystone.l10_engines.postgres.access import DatabaseAccess
from drystone.l10_engines.postgres.errors import DatabaseUnavailable, StatementRefused
from drystone.l10_engines.postgres.names import identifier

Row: TypeAlias = tuple[Any, ...]
Asked: TypeAlias = tuple[LiteralString, Mapping[str, object]]
"""A statement and its values by name."""

CONNECT_LIMIT = timedelta(seconds=10)


class Session:
    """One connection, for one task at a time. It is made by :class:`Database`."""

    def __init__(self, raw: psycopg.AsyncConnection[TupleRow], where: str) -> None:
        self._raw = raw
        self._where = where

    @property
    def is_usable(self) -> bool:
        """Whether it is open and stands between two transactions."""
        idle = TransactionStatus.IDLE
        return not self._raw.closed and self._raw.info.transaction_status is idle

    async def fetch(self, statement: LiteralString, /, **values: object) -> list[Row]:
        """Execute one statement; its rows, none where it has no result.

        Args:
            statement: Has ``%(name)s`` for each value.
            values: By name. Nothing of them is in the message of an error.

        Raises:
            DatabaseUnavailable: The server cannot do it now, or the connection is gone. Whether the statement took
                effect is then not known.
            StatementRefused: It can never be done as it is.
        """
        with _told(self._where):
            done = await self._raw.execute(statement, values)
            return await done.fetchall() if done.description is not None else []

    async def fetch_each(self, *asked: Asked) -> list[list[Row]]:
        """Execute several statements in one round trip, in their order; the rows of each, none where it has no result.

        On a busy machine a round trip costs far more than a statement. Each statement sees what the ones before it did
        and what others have committed meanwhile. Outside of a transaction they take effect together, or none of them.

        Args:
            asked: The statements, each with its values as for :meth:`fetch`.

        Raises:
            DatabaseUnavailable: As :meth:`fetch`.
            StatementRefused: One of them can never be done as it is; none was.
        """
        with _told(self._where):
            done = []
            async with self._raw.pipeline():
                for statement, values in asked:
                    cursor = self._raw.cursor()
                    await cursor.execute(statement, values)
                    done.append(cursor)
            return [await one.fetchall() if one.description is not None else [] for one in done]

    async def run_script(self, text: LiteralString) -> None:
        """Execute several statements, separated by semicolons and without values.

        Raises:
            DatabaseUnavailable: As :meth:`fetch`.
            StatementRefused: As :meth:`fetch`.
        """
        with _told(self._where):
            await self._raw.execute(text)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Let the statements within take effect together, or none of them when an exception leaves.

        Raises:
            DatabaseUnavailable: As :meth:`fetch`; after the last statement it is not known what took effect.
        """
        with _told(self._where):
            async with self._raw.transaction():
                yield

    async def notified(self, channel: str) -> AsyncIterator[str]:
        """Listen, and yield what others notify; the first text, which is empty, says that it listens.

        Raises:
            DatabaseUnavailable: The connection is gone.
        """
        with _told(self._where):
            await self._raw.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            yield ""
            async for one in self._raw.notifies():
                yield one.payload

    async def close(self) -> None:
        """End the connection; never raises."""
        await self._raw.close()


class Database:
    """Connections to one schema of one database, in the name of one role.

    Args:
        access: The database and the role.
        service: Whose schema; the name that :func:`~drystone.l10_engines.postgres.schemas.provision` was given.
        most: How many sessions :meth:`session` gives out at once; who wants one more waits.
    """

    def __init__(self, access: DatabaseAccess, service: str, *, most: int = 4) -> None:
        self.access = access
        self.schema = identifier(service)
        self._idle: list[Session] = []
        self._free = asyncio.Semaphore(most)
        self._where = f"{access.host}:{access.port}/{access.database}"

    async def open(self) -> Session:
        """Open a session that is the caller's alone, who closes it.

        Raises:
            DatabaseUnavailable: The server does not answer, or lets nobody in.
        """
        with _told(self._where):
            raw = await psycopg.AsyncConnection.connect(
                self.access.url(),
                autocommit=True,
                connect_timeout=int(CONNECT_LIMIT.total_seconds()),
                application_name=f"drystone {self.schema}",
                options=f"-c search_path={self.schema}",
            )
        return Session(raw, self._where)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """Lend a session.

        Raises:
            DatabaseUnavailable: As :meth:`open`.
        """
        async with self._free:
            session = await self._idle_or_new()
            try:
                yield session
            finally:
                if session.is_usable:
                    self._idle.append(session)
                else:
                    await session.close()

    async def _idle_or_new(self) -> Session:
        while self._idle:
            session = self._idle.pop()
            if session.is_usable:
                return session
            await session.close()
        return await self.open()

    async def fetch(self, statement: LiteralString, /, **values: object) -> list[Row]:
        """Execute one statement in a session of its own; see :meth:`Session.fetch`.

        Raises:
            DatabaseUnavailable: As :meth:`Session.fetch`.
            StatementRefused: As :meth:`Session.fetch`.
        """
        async with self.session() as session:
            return await session.fetch(statement, **values)

    async def fetch_each(self, *asked: Asked) -> list[list[Row]]:
        """Execute several statements in a session of their own; see :meth:`Session.fetch_each`.

        Raises:
            DatabaseUnavailable: As :meth:`Session.fetch_each`.
            StatementRefused: As :meth:`Session.fetch_each`.
        """
        async with self.session() as session:
            return await session.fetch_each(*asked)

    async def close(self) -> None:
        """Close what is idle; sessions that are lent close when they come back."""
        while self._idle:
            await self._idle.pop().close()


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Tell what passes from what never will. Messages about values quote them, so they stay in the cause."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as e:
        why = e.diag.message_primary or str(e).strip() or type(e).__name__
        raise DatabaseUnavailable(
            f"PostgreSQL at {where} cannot do this now: {why}; look into the server's log and try again"
        ) from e
    except psycopg.errors.ReadOnlySqlTransaction as e:
        raise DatabaseUnavailable(
            f"PostgreSQL at {where} takes no changes: it is a standby or set to read only"
        ) from e
    except psycopg.Error as e:
        raise StatementRefused(
            f"PostgreSQL at {where} refused a statement: {type(e).__name__} ({e.sqlstate or 'no state'});"
            " the server's log has it",
            sqlstate=e.sqlstate or "",
        ) from e
