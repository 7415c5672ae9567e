"""Applies the changes of one database to another, each of them once."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta

from psycopg import sql
from psycopg.errors import InternalError

from drystone.l10_engines.postgres import arriving, moving
from drystone.l10_engines.postgres.arriving import applied, lsn, note_applied
from drystone.l10_engines.postgres.moving import MARK, Connection, Diverged
from drystone.l10_engines.postgres.pgoutput import (
    UNCHANGED,
    Begin,
    Change,
    Commit,
    Message,
    Note,
    Relation,
    Truncate,
    Value,
    read,
)

BATCH = 5000
"""Changes, after whose transaction a batch ends."""

_PAUSES = tuple(timedelta(milliseconds=one) for one in (50, 100, 200, 400, 800))
"""After which changes are asked for again that PostgreSQL could not decode."""

_ROWS = 2000
"""Rows that are fetched, and sent, at once."""


class Follower:
    """Applies changes of one database to another.

    Args:
        source: The end that is left; it has a transaction of its own for each batch.
        target: The end that is come to.
        slot: Keeps the changes.
    """

    def __init__(self, source: Connection, target: Connection, slot: str) -> None:
        self._source = source
        self._target = target
        self._slot = slot
        self._relations: dict[int, Relation] = {}
        self._fixed = arriving.fixed_columns(target)
        self.marks: list[bytes] = []
        """The messages of :func:`mark` that came by."""

    def batch(self) -> int:
        """Apply what was committed since, at most about :data:`BATCH` changes; return how many there were.

        Raises:
            Diverged: A row that changes is not there: somebody else writes to the new database.
        """
        for pause in _PAUSES:
            try:
                return self._batch()
            except InternalError:  # beside TRUNCATE it may not find a table; nothing was taken yet
                time.sleep(pause.total_seconds())
        return self._batch()

    def _batch(self) -> int:
        done = applied(self._target, self._slot) or 0
        reached = moving.place_now(self._source)
        count, place = 0, 0
        with self._target.transaction(), self._source.transaction():
            pending: list[tuple[sql.Composed, list[list[Value]]]] = []
            is_new = True
            for data in self._changes():
                message = read(data)
                if isinstance(message, Begin):
                    is_new = message.end >= done
                elif isinstance(message, Commit):
                    place = message.end
                elif isinstance(message, Change | Truncate):
                    if is_new:
                        count += 1
                        self._add(pending, *self._statement(message))
                else:
                    self._take_note(message)
            self._flush(pending)
            if place > done:
                note_applied(self._target, self._slot, place)
        # Where there was nothing of ours, the log need not be kept up to where it ended.
        self._source.execute(
            "SELECT pg_catalog.pg_replication_slot_advance(%s, %s::pg_lsn)",
            (self._slot, lsn(max(place or reached, done))),
        )
        return count

    def _take_note(self, message: Message) -> None:
        """Remember what a table looks like, and the marks that come by."""
        if isinstance(message, Relation):
            self._relations[message.id] = message
        elif isinstance(message, Note) and message.prefix == MARK:
            self.marks.append(message.content)

    def _changes(self) -> Iterator[bytes]:
        with self._source.cursor(name="changes") as cursor:
            cursor.itersize = _ROWS
            cursor.execute(
                "SELECT data FROM pg_catalog.pg_logical_slot_peek_binary_changes(%s, NULL, %s,"
                " 'proto_version', '1', 'publication_names', %s, 'messages', 'true')",
                (self._slot, BATCH, self._slot),
            )
            for (data,) in cursor:
                yield bytes(data)  # type: ignore[call-overload]

    def _add(
        self,
        pending: list[tuple[sql.Composed, list[list[Value]]]],
        statement: sql.Composed,
        values: list[Value],
    ) -> None:
        """Put a row behind those of the same statement; a row of another ends them."""
        if not pending or pending[-1][0] != statement or len(pending[-1][1]) >= _ROWS:
            self._flush(pending)
            pending.append((statement, []))
        pending[-1][1].append(values)

    def _flush(self, pending: list[tuple[sql.Composed, list[list[Value]]]]) -> None:
        for statement, rows in pending:
            with self._target.cursor() as cursor:
                cursor.executemany(statement, rows)
                if rows[0] and cursor.rowcount != len(rows):
                    raise Diverged(
                        f"{len(rows)} rows change and {max(cursor.rowcount, 0)} of them are in the new database:"
                        " somebody else writes there; stop it, give the move up and begin again"
                    )
        pending.clear()

    def _statement(self, change: Change | Truncate) -> tuple[sql.Composed, list[Value]]:
        if isinstance(change, Truncate):
            return self._emptying(change), []
        relation = self._relations[change.relation]
        at = sql.Identifier(relation.schema, relation.name)
        if change.new is None:
            where, values = _finding(relation, change.old or ())
            return sql.SQL("DELETE FROM {} WHERE {}").format(at, where), values
        kept = [
            (n, v) for n, v in zip(relation.columns, change.new, strict=True) if v is not UNCHANGED
        ]
        names, values = [sql.Identifier(n) for n, _ in kept], [v for _, v in kept]
        if change.kind == "insert":
            marks = sql.SQL(", ").join([sql.Placeholder()] * len(values))
            text = "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})"
            return sql.SQL(text).format(at, sql.SQL(", ").join(names), marks), values
        where, found = _finding(relation, change.old or change.new)
        changed = [
            (name, value)
            for name, value in kept
            if (relation.schema, relation.name, name) not in self._fixed
        ]
        sets = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder())
            for name, _ in changed
        )
        update = sql.SQL("UPDATE {} SET {} WHERE {}").format(at, sets, where)
        return update, [value for _, value in changed] + found

    def _emptying(self, truncate: Truncate) -> sql.Composed:
        found = [self._relations[number] for number in truncate.relations]
        listed = sql.SQL(", ").join(sql.Identifier(one.schema, one.name) for one in found)
        return sql.SQL("TRUNCATE {}{}{}").format(
            listed,
            sql.SQL(" RESTART IDENTITY" if truncate.restarts else ""),
            sql.SQL(" CASCADE" if truncate.cascades else ""),
        )


def _finding(relation: Relation, row: Sequence[Value]) -> tuple[sql.Composed, list[Value]]:
    """Return the condition that finds one row, and its values."""
    pairs = [
        (name, value)
        for name, value in zip(relation.columns, row, strict=True)
        if name in relation.key and value is not UNCHANGED
    ]
    if not pairs:
        raise Diverged(
            f"nothing tells the rows of {relation.schema}.{relation.name} apart any more"
        )
    same = sql.SQL(" IS NOT DISTINCT FROM " if relation.is_full else " = ")
    tests = sql.SQL(" AND ").join(
        sql.SQL("{}{}{}").format(sql.Identifier(name), same, sql.Placeholder()) for name, _ in pairs
    )
    values = [value for _, value in pairs]
    if not relation.is_full:
        return tests, values
    # Of rows that are equal throughout, one is meant.
    at = sql.Identifier(relation.schema, relation.name)
    return sql.SQL("ctid = (SELECT ctid FROM {} WHERE {} LIMIT 1)").format(at, tests), values
