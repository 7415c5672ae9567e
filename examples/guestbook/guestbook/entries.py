"""What visitors wrote: the rules for an entry, and the table that holds them."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import AsyncConnection
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

if TYPE_CHECKING:
    from datetime import datetime

LONGEST_NAME = 60
LONGEST_MESSAGE = 1000
SHOWN = 50


class Refused(Exception):
    """What the visitor sent is no entry; the text says why."""


@dataclass(frozen=True)
class Draft:
    """A checked entry that is not stored yet."""

    name: str
    message: str


@dataclass(frozen=True)
class Entry:
    id: int
    name: str
    message: str
    written_at: datetime
    written_by_version: str


def check(name: object, message: object) -> Draft:
    """Return the draft of what a visitor sent.

    Raises:
        Refused: A field is missing, empty, too long or holds control characters.
    """
    return Draft(_text("name", name, LONGEST_NAME), _text("message", message, LONGEST_MESSAGE))


def _text(field: str, value: object, longest: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Refused(f"Please fill in the {field}.")
    text = value.replace("\r\n", "\n").strip()
    if len(text) > longest:
        raise Refused(f"The {field} has {len(text)} characters; {longest} are allowed.")
    # "Cc" are control characters, "Cs" lone surrogates: neither can be stored or shown.
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in text.replace("\n", "")):
        raise Refused(f"The {field} holds characters that cannot be shown.")
    return text


class Entries:
    """The table of entries, behind a few connections that are checked before each use.

    A restart of the database costs no error of its own: a connection that died while idle is replaced,
    and a request waits a few seconds for a new one.
    """

    def __init__(self, url: str) -> None:
        self._pool = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=8,
            timeout=5,
            reconnect_timeout=2,
            kwargs={"autocommit": True, "connect_timeout": 2},
            check=AsyncConnectionPool[AsyncConnection].check_connection,
            open=False,
        )

    async def open(self) -> None:
        """Begin to connect, without waiting for the database."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close()

    async def check_database(self) -> None:
        """Raise :class:`psycopg.OperationalError` unless the table can be read within a second."""
        async with self._pool.connection(timeout=1) as connection:
            await connection.execute("select 1 from entries limit 1")

    async def newest(self) -> list[Entry]:
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(Entry)) as cursor,
        ):
            await cursor.execute(
                "select id, name, message, written_at, written_by_version from entries "
                "order by id desc limit %s",
                [SHOWN],
            )
            return await cursor.fetchall()

    async def count(self) -> int:
        async with self._pool.connection() as connection:
            cursor = await connection.execute("select count(*) from entries")
            row = await cursor.fetchone()
            return row[0] if row else 0

    async def add(self, draft: Draft, *, version: str) -> Entry:
        async with (
            self._pool.connection() as connection,
            connection.cursor(row_factory=class_row(Entry)) as cursor,
        ):
            await cursor.execute(
                "insert into entries (name, message, written_by_version) values (%s, %s, %s) "
                "returning id, name, message, written_at, written_by_version",
                [draft.name, draft.message, version],
            )
            return await cursor.fetchone()
