"""Tells whether two databases hold the same rows, and brings their sequences to the same place."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from psycopg import sql

from drystone.l10_engines.postgres.moving import SCHEMA, Connection, Table


class Sum(msgspec.Struct, frozen=True):
    """How many rows a table has, and a number that depends on all their values and not on their order."""

    rows: int
    digest: str


def sum_of(connection: Connection, table: Table) -> Sum:
    """Add a table up: of each row the first 64 bits of the MD5 of its text, which is the same on both servers."""
    found = connection.execute(
        sql.SQL(
            "SELECT count(*), COALESCE(sum(('x' || left(md5(ROW({})::text), 16))::bit(64)::bigint::numeric), 0)::text"
            " FROM {}"
        ).format(table.listed(), table.at)
    ).fetchone()
    rows, digest = found or (0, "0")
    return Sum(int(str(rows)), str(digest))


def differences(source: Connection, target: Connection, every: Sequence[Table]) -> list[str]:
    """Say of which tables the rows are not the same."""
    found = []
    for table in every:
        old, new = sum_of(source, table), sum_of(target, table)
        if old != new:
            how = f"{old.rows} rows and {new.rows}" if old.rows != new.rows else "other values"
            found.append(f"{table.schema}.{table.name}: {how}")
    return found


def copy_sequences(source: Connection, target: Connection) -> int:
    """Let each sequence go on where the old one stands; return how many there are."""
    found = source.execute(
        "SELECT schemaname, sequencename, last_value FROM pg_catalog.pg_sequences"
        " WHERE last_value IS NOT NULL AND schemaname <> %s",
        (SCHEMA,),
    ).fetchall()
    for schema, name, value in found:
        target.execute(
            "SELECT pg_catalog.setval(format('%%I.%%I', %s::text, %s::text)::regclass, %s)",
            (schema, name, value),
        )
    return len(found)


def has_rows(connection: Connection, table: Table) -> bool:
    """Tell whether a table has any row."""
    found = connection.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(table.at))
    return found.fetchone() is not None
