"""What the accounts hold, on disk: one SQLite file, in which a group of changes is written whole or not at all.

SQLite in its mode WAL with ``synchronous=FULL`` has a transaction on disk when it is committed, so what was answered
survives the death of the process and of the machine. The file can be copied while it is written to, by SQLite's own
``backup`` or ``VACUUM INTO``; a plain copy of the folder is one when the process does not run.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from drystone.l10_engines.aws.access import AccountAccess

FORMAT = 1
"""Stands in the file as its ``user_version``."""

_TABLES = """
create table if not exists accounts (
    owner text primary key,
    account text not null unique,
    access_key text not null unique,
    secret_key text not null
) without rowid;
create table if not exists coming_keys (
    owner text primary key,
    access_key text not null unique,
    secret_key text not null
) without rowid;
create table if not exists declared (
    owner text not null,
    name text not null,
    primary key (owner, name)
) without rowid;
create table if not exists parts (
    store text not null,
    account text not null,
    region text not null,
    entry text not null,
    part text not null,
    value blob not null,
    primary key (store, account, region, entry, part)
);
pragma user_version = 1;
"""

_PUT = "insert or replace into parts values (?, ?, ?, ?, ?, ?)"
_DROP = (
    "delete from parts where store = ? and account = ? and region = ? and entry = ? and part = ?"
)


class Place(msgspec.Struct, frozen=True, order=True):
    """Where something lies.

    Attributes:
        store: Which collection.
        account: Whose.
        region: In which region.
        entry: Which one of the collection, such as a queue.
        part: Which part of it, such as a message; empty for the entry itself.
    """

    store: str
    account: str
    region: str
    entry: str
    part: str


class Change(msgspec.Struct, frozen=True):
    """What becomes of a place: its new content, or None when it is gone."""

    place: Place
    value: bytes | None


class Journal:
    """The file. Calls may come from several threads, one at a time.

    Args:
        path: The file; made when missing, readable by its owner alone.

    Raises:
        sqlite3.DatabaseError: The file is not such a one, or of a newer format.
    """

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600, exist_ok=True)
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        version = self._connection.execute("pragma user_version").fetchone()[0]
        if version > FORMAT:
            raise sqlite3.DatabaseError(
                f"{path} has format {version}, and this version of Drystone knows {FORMAT}; use the newer one"
            )
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = full")
        self._connection.execute("pragma busy_timeout = 5000")
        self._connection.executescript(_TABLES)

    def write(self, changes: Iterable[Change]) -> None:
        """Write changes, all or none; they are on disk when this returns.

        Raises:
            sqlite3.Error: They are not, for example because the disk is full.
        """
        put, drop = [], []
        for change in changes:
            place = msgspec.structs.astuple(change.place)
            if change.value is None:
                drop.append(place)
            else:
                put.append((*place, change.value))
        self._connection.execute("begin immediate")
        try:
            self._connection.executemany(_DROP, drop)
            self._connection.executemany(_PUT, put)
            self._connection.execute("commit")
        except BaseException:
            self._connection.execute("rollback")
            raise

    def read(self) -> Iterator[tuple[Place, bytes]]:
        """Give all that is there, in the order of the places."""
        for row in self._connection.execute(
            "select * from parts order by store, account, region, entry, part"
        ):
            yield Place(*row[:-1]), row[-1]

    def accounts(self) -> dict[str, AccountAccess]:
        """Give the accounts by their owners; the endpoint is left empty."""
        rows = self._connection.execute(
            "select owner, account, access_key, secret_key from accounts"
        )
        return {
            owner: AccountAccess(
                endpoint="", account=account, access_key=access_key, secret_key=secret_key
            )
            for owner, account, access_key, secret_key in rows
        }

    def open_account(self, owner: str) -> None:
        """Make an account with a key of its own, unless its owner has one.

        The number is random: it is part of names that others may see, and opens nothing.
        """
        number = f"{secrets.randbelow(10**12):012d}"
        self._connection.execute(
            "insert or ignore into accounts values (?, ?, ?, ?)", (owner, number, *_key())
        )

    def coming_keys(self) -> dict[str, tuple[str, str]]:
        """Give both halves of the keys that are to take the place of accounts' keys, by the owners."""
        rows = self._connection.execute("select owner, access_key, secret_key from coming_keys")
        return {owner: (access_key, secret_key) for owner, access_key, secret_key in rows}

    def prepare_key(self, owner: str) -> None:
        """Make a key that is to take the place of an account's, unless there is one."""
        self._connection.execute(
            "insert or ignore into coming_keys values (?, ?, ?)", (owner, *_key())
        )

    def settle_key(self, owner: str) -> None:
        """Let the key that was prepared take the place of an account's. Idempotent."""
        self._connection.execute("begin immediate")
        try:
            self._connection.execute(
                "update accounts set access_key = k.access_key, secret_key = k.secret_key"
                " from coming_keys k where k.owner = accounts.owner and k.owner = ?",
                (owner,),
            )
            self.withdraw_key(owner)
            self._connection.execute("commit")
        except BaseException:
            self._connection.execute("rollback")
            raise

    def withdraw_key(self, owner: str) -> None:
        """Forget the key that was prepared. Idempotent."""
        self._connection.execute("delete from coming_keys where owner = ?", (owner,))

    def declare(self, owner: str, name: str) -> None:
        """Note that something of an account is declared."""
        self._connection.execute("insert or ignore into declared values (?, ?)", (owner, name))

    def undeclare(self, owner: str, name: str) -> bool:
        """Note that something is declared no more; tell whether nothing of its account is."""
        self._connection.execute("delete from declared where owner = ? and name = ?", (owner, name))
        left = self._connection.execute("select 1 from declared where owner = ? limit 1", (owner,))
        return left.fetchone() is None

    def close_account(self, owner: str) -> None:
        """Take an account's key away. Idempotent."""
        self.withdraw_key(owner)
        self._connection.execute("delete from accounts where owner = ?", (owner,))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _key() -> tuple[str, str]:
    """Make both halves of a key up."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    public = "AKIA" + "".join(secrets.choice(letters) for _ in range(16))
    return public, secrets.token_urlsafe(30)
