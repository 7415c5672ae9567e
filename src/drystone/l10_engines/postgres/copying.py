"""What the tables of a database held at one moment, copied while they change; changes are kept from that moment on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg
from psycopg import sql

from drystone.l00_kernel.errors import Conflict
from drystone.l10_engines.postgres.moving import Connection, Table, Unmovable, connected, named


class Emptied(Conflict):
    """A table was emptied in the moment in which a copy began; another copy may have more luck."""


@contextmanager
def snapshot(url: str, slot: str) -> Iterator[tuple[str, str]]:
    """Keep changes from a moment on; yields the snapshot of that moment and its place in the log.

    The snapshot can be used while the block lasts.
    """
    with psycopg.connect(url, replication="database", autocommit=True) as connection:
        command = f"CREATE_REPLICATION_SLOT {slot} LOGICAL pgoutput (SNAPSHOT 'export')"
        result = connection.pgconn.exec_(command.encode())
        if result.status != psycopg.pq.ExecStatus.TUPLES_OK:
            raise Unmovable(f"changes cannot be kept: {result.error_message.decode().strip()}")
        place, name = result.get_value(0, 1), result.get_value(0, 2)
        yield (name or b"").decode(), (place or b"").decode()


def copy_rows(
    source_url: str, name: str, target: Connection, every: Sequence[Table]
) -> Iterator[tuple[Table, int]]:
    """Copy what the tables held at a snapshot, in the target's transaction; yields each table with its rows.

    Raises:
        Emptied: A table was emptied since, before this could keep it from that.
    """
    with connected(source_url, autocommit=False) as source:
        source.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        source.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(name)))
        _require_whole(source, every)
        for table in every:
            out = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(table.listed(), table.at)
            into = sql.SQL("COPY {} ({}) FROM STDIN").format(table.at, table.listed())
            with source.cursor() as reads, target.cursor() as writes:
                with reads.copy(out) as rows, writes.copy(into) as copy:
                    for block in rows:
                        copy.write(block)
                yield table, writes.rowcount


def _require_whole(source: Connection, every: Sequence[Table]) -> None:
    """Let nobody empty a table from now on, and make sure that nobody has since the snapshot.

    TRUNCATE gives a table a new file and is seen by older snapshots at once (documentation, 13.6), which then miss
    rows that changes speak of. ``pg_class`` is read as of the snapshot, ``pg_relation_filenode`` as of now.
    """
    for table in every:
        source.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(table.at))
    emptied = source.execute(
        "SELECT c.oid::regclass::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
        " AND c.relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid) ORDER BY 1"
    ).fetchall()
    if emptied:
        raise Emptied(f"{named(emptied)} was emptied while the copy began")
