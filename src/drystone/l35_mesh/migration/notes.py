"""What the move of a bucket or a cache has written down: how far it is, and which objects have come over.

One SQLite file in the home, of which the mover is the only writer; it holds keys and digests, and no secret. An object is
noted before it is written at the new end, so that none can stay there of which nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.l10_engines.objects.moving import Arrived, Listed
from drystone.l35_mesh.migration.errors import NotesUnreadable

if TYPE_CHECKING:
    import sqlite3

_PAGE = 1000
_TABLES = """
CREATE TABLE IF NOT EXISTS words (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (
  key TEXT PRIMARY KEY, etag TEXT NOT NULL DEFAULT '', size INTEGER NOT NULL DEFAULT 0, modified INTEGER NOT NULL DEFAULT 0,
  written TEXT NOT NULL DEFAULT '', digest TEXT NOT NULL DEFAULT '', look INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
BEGIN EXCLUSIVE;
COMMIT;
"""
_FROM, _TO, _LIFE, _DATABASES = "from", "to", "life", "databases"
_VERIFIED, _LOOK = "verified", "look"


class Notes:
    """The notes of one move; see :func:`opened`.

    Args:
        connection: To the file.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    @property
    def ends(self) -> tuple[str, str] | None:
        """From where to where, without keys; None when nothing has begun."""
        start, end = self._word(_FROM), self._word(_TO)
        return None if start is None or end is None else (start, end)

    def begin(self, start: str, end: str, *, life: str = "") -> None:
        """Note from where to where, and since which start the old end has what it holds, where it forgets."""
        with self._sql:
            self._put(_FROM, start)
            self._put(_TO, end)
            self._put(_LIFE, life)

    @property
    def life(self) -> str:
        """Since which start the old end has what it holds."""
        return self._word(_LIFE) or ""

    @property
    def databases(self) -> set[int]:
        """The numbers of the databases of which keys have come over, where a server has several."""
        return {int(number) for number in (self._word(_DATABASES) or "").split()}

    def note_databases(self, numbers: set[int]) -> None:
        """Note the numbers of databases."""
        with self._sql:
            self._put(_DATABASES, " ".join(str(number) for number in sorted(numbers)))

    @property
    def is_verified(self) -> bool:
        """Whether both ends held the same while nobody wrote, and the traffic may have gone over."""
        return self._word(_VERIFIED) is not None

    def note_verified(self) -> None:
        """Note that from now on there is no way back."""
        with self._sql:
            self._put(_VERIFIED, "yes")

    def new_look(self) -> int:
        """Return the number of another look at a whole bucket."""
        number = int(self._word(_LOOK) or "0") + 1
        with self._sql:
            self._put(_LOOK, str(number))
        return number

    def changed(self, listed: Sequence[Listed]) -> list[Listed]:
        """Return those that have not come over as they are listed."""
        return [
            one for one in listed if self._row(one.key)[:3] != (one.etag, one.size, one.modified)
        ]

    def intend(self, keys: Iterable[str]) -> None:
        """Note objects that are about to be written at the new end; what was known of them holds no longer."""
        with self._sql:
            self._sql.executemany(
                "INSERT INTO objects (key) VALUES (?) ON CONFLICT (key) DO UPDATE SET etag = '', written = ''",
                [(key,) for key in keys],
            )

    def arrived(self, pairs: Iterable[tuple[Listed, Arrived]]) -> None:
        """Note objects that have come over; one that was changed since it was listed comes again."""
        with self._sql:
            self._sql.executemany(
                "UPDATE objects SET etag = ?, size = ?, modified = ?, written = ?, digest = ? WHERE key = ?",
                [
                    (
                        one.etag if (copy.read, copy.size) == (one.etag, one.size) else "",
                        copy.size,
                        one.modified,
                        copy.written,
                        copy.digest,
                        one.key,
                    )
                    for one, copy in pairs
                ],
            )

    def seen(self, listed: Iterable[Listed], look: int) -> None:
        """Note that objects were there at a look."""
        with self._sql:
            self._sql.executemany(
                "UPDATE objects SET look = ? WHERE key = ?", [(look, one.key) for one in listed]
            )

    def unseen(self, look: int) -> list[str]:
        """Return the keys, at most 1000, that were not there at a look."""
        found = self._sql.execute("SELECT key FROM objects WHERE look < ? LIMIT ?", (look, _PAGE))
        return [key for (key,) in found]

    def forget(self, keys: Iterable[str]) -> None:
        """Forget objects that are at neither end any more."""
        with self._sql:
            self._sql.executemany("DELETE FROM objects WHERE key = ?", [(key,) for key in keys])

    def written(self, key: str) -> tuple[str, int] | None:
        """Return entity tag and size at the new end; None for an object that was never noted."""
        row = self._row(key)
        return (row[3], row[1]) if row[3] else None

    def keys(self) -> Iterator[list[str]]:
        """Return all keys in order, at most 1000 at a time."""
        last: str | None = None
        while page := self._sql.execute(
            "SELECT key FROM objects WHERE ? IS NULL OR key > ? ORDER BY key LIMIT ?",
            (last, last, _PAGE),
        ).fetchall():
            yield [key for (key,) in page]
            last = page[-1][0]

    def total(self) -> tuple[int, int]:
        """Return how many objects have come over, and their bytes."""
        count, size = self._sql.execute(
            "SELECT count(*), coalesce(sum(size), 0) FROM objects WHERE written != ''"
        ).fetchone()
        return count, size

    def _row(self, key: str) -> tuple[str, int, int, str]:
        found = self._sql.execute(
            "SELECT etag, size, modified, written FROM objects WHERE key = ?", (key,)
        ).fetchone()
        return found or ("", -1, 0, "")

    def _word(self, name: str) -> str | None:
        found = self._sql.execute("SELECT value FROM words WHERE name = ?", (name,)).fetchone()
        return None if found is None else found[0]

    def _put(self, name: str, value: str) -> None:
        self._sql.execute("INSERT OR REPLACE INTO words VALUES (?, ?)", (name, value))


@contextmanager
def opened(path: Path) -> Iterator[Notes]:
    """Open the notes of a move, which are made when there are none.

    Raises:
        NotesUnreadable: The file is damaged, or another mover writes to it.
    """
    import sqlite3  # noqa: PLC0415 - a platform moves data once in its life

    try:
        with closing(sqlite3.connect(path, timeout=1)) as connection:
            # Held until it is closed or its process ends, so that no two movers are at work.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.executescript(_TABLES)
            yield Notes(connection)
    except sqlite3.Error as e:
        raise NotesUnreadable(
            f"the notes of the move at {path} cannot be used ({e}): make sure that nobody else moves the same data"
            " and that the disk has room, then say the same again"
        ) from e
