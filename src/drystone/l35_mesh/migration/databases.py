"""Moves a PostgreSQL database to another server while it is used; runs in a process of its own.

Whatever dies, at either end or in between: giving the same command again goes on where it was. How far a move has come is
read from the two databases alone. The copy is one transaction of the new one, with the place in the log from which to
follow; the fence and the word that both hold the same stand in the old one.

::

    copy ─ follow ─ follow … ─ fence ─ drain ─ verify ─┬─ switch ─ tidy
                                  └──── open again ────┘ when they differ
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from typing_extensions import override

from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l10_engines.postgres import arriving, comparing, copying, moving
from drystone.l10_engines.postgres.copying import Emptied
from drystone.l10_engines.postgres.following import BATCH, Follower
from drystone.l10_engines.postgres.moving import Connection, Diverged, Table, Unmovable
from drystone.l35_mesh.migration.moves import DataMove

COPIED = FaultPoint("data.rows.copied", "the new database has the rows; nobody has followed yet")
APPLIED = FaultPoint("data.batch.applied", "the new database has some changes more")
FENCED = FaultPoint("data.writers.fenced", "nobody may write to the old database any more")
DRAINED = FaultPoint("data.changes.drained", "every change has come over")
VERIFIED = FaultPoint(
    "data.rows.verified", "both databases hold the same; traffic goes to the old side"
)
SWITCHED = FaultPoint(
    "data.traffic.switched", "traffic goes to the new side; the move is not tidied up"
)

PAUSE = timedelta(milliseconds=50)
PATIENCE = timedelta(seconds=10)
"""How long transactions that have written may take to end, once no other may begin to write."""

ATTEMPTS = 10
"""Copies that are begun while somebody empties tables in that very moment."""

Tell = Callable[[str], None]


class DatabaseMove(DataMove):
    """One database on its way.

    Args:
        source: URL of the old database, of a role that administers its server.
        target: URL of the new one.
        name: Names what this move keeps: lower-case letters, digits and _; at most 63.
        tell: Hears what happens.
    """

    def __init__(self, source: str, target: str, name: str, tell: Tell) -> None:
        self._source_url = source
        self._target_url = target
        self._name = name
        self._tell = tell

    @override
    def begin(self) -> None:
        with (
            moving.connected(self._source_url) as source,
            moving.connected(self._target_url, autocommit=False) as target,
        ):
            if arriving.applied(target, self._name) is not None:
                if not moving.slot_exists(source, self._name) and not self._is_verified(source):
                    raise Unmovable(
                        "the old server keeps no changes for this move any more: give it up, empty the new database"
                        " and begin again"
                    )
                self._tell("goes on where it was")
                return
            every = moving.tables(source)
            moving.require_movable(source, every)
            ordered = self._fit(target, every)
            for attempt in range(1, ATTEMPTS + 1):
                moving.forget(source, self._name)  # of a copy that was cut short
                moving.publish(source, self._name, every)
                target.rollback()
                try:
                    self._copy(target, ordered)
                    break
                except Emptied as e:
                    if attempt == ATTEMPTS:
                        moving.forget(source, self._name)
                        raise Unmovable(
                            f"{e}, {ATTEMPTS} times: begin when nobody does that"
                        ) from e
            COPIED.reach()

    def _copy(self, target: Connection, ordered: list[Table]) -> None:
        with copying.snapshot(self._source_url, self._name) as (snapshot, place):
            arriving.prepare(target, ordered)
            for table, rows in copying.copy_rows(self._source_url, snapshot, target, ordered):
                self._tell(f"{table.schema}.{table.name}: {rows} rows")
            arriving.note_applied(target, self._name, place)
            target.commit()

    def _fit(self, target: Connection, every: list[Table]) -> list[Table]:
        """Make sure that the new database has the same tables, empty; return them in the order in which to fill them."""
        found = moving.tables(target)
        if not found and every:
            target.rollback()
            moving.copy_schema(self._source_url, self._target_url)
            self._tell("made the tables in the new database")
            found = moving.tables(target)
        missing = [one for one in every if one not in found]
        if missing:
            raise Unmovable(
                f"the new database has no table {missing[0].schema}.{missing[0].name} with the columns"
                f" {', '.join(missing[0].columns)}: deploy the same release on the new side first, or give an empty one"
            )
        filled = [one for one in every if comparing.has_rows(target, one)]
        if filled:
            names = ", ".join(f"{one.schema}.{one.name}" for one in filled)
            raise Unmovable(
                f"the new database has rows already in {names}: empty these tables first"
            )
        return arriving.prepare(target, every)

    @override
    def follow(self, until: Callable[[int], bool]) -> None:
        with (
            moving.connected(self._source_url) as source,
            moving.connected(self._target_url) as target,
        ):
            if self._is_verified(source):
                return
            arriving.prepare(target, [])
            follower = Follower(source, target, self._name)
            while True:
                count = follower.batch()
                APPLIED.reach()
                if until(moving.lag(source, self._name)):
                    return
                if count < BATCH:
                    time.sleep(PAUSE.total_seconds())

    @override
    def cut_over(self, switch: Callable[[], None]) -> None:
        with (
            moving.connected(self._source_url) as source,
            moving.connected(self._target_url) as target,
        ):
            if not self._is_verified(source):
                self._bring_the_rest(source, target)
                VERIFIED.reach()
            switch()
            SWITCHED.reach()
            moving.forget(source, self._name)
            arriving.tidy(target)
            self._tell(
                "the new side has everything; the old database can be read, and not written to"
            )

    def _bring_the_rest(self, source: Connection, target: Connection) -> None:
        moving.fence(source)
        FENCED.reach()
        self._tell("the old database takes no more changes")
        try:
            self._until_quiet(source)
            self._drain(source, target)
            DRAINED.reach()
            comparing.copy_sequences(source, target)
            self._require_the_same(source, target)
        except Diverged:
            moving.unfence(source)
            self._tell("the old database takes changes again")
            raise
        self._tell("both databases hold the same rows")
        moving.note_verified(source, self._name)

    def _require_the_same(self, source: Connection, target: Connection) -> None:
        every = moving.tables(source)
        if every != moving.published(source, self._name):
            raise Diverged(
                "tables were made or changed since the move began; give it up and begin again"
            )
        if found := comparing.differences(source, target, every):
            raise Diverged(f"the two databases differ in {'; '.join(found)}")

    def _until_quiet(self, source: Connection) -> None:
        """Wait for transactions that wrote before the fence; end those that take too long."""
        end = time.monotonic() + PATIENCE.total_seconds()
        while moving.writers(source):
            if time.monotonic() > end:
                moving.end_writers(source)
                if moving.writers(source):
                    raise Diverged("a prepared transaction does not end: commit it or roll it back")
            time.sleep(PAUSE.total_seconds())

    def _drain(self, source: Connection, target: Connection) -> None:
        """Follow until a mark comes by that lies behind every change."""
        mark = f"{self._name} {time.time_ns()}"
        moving.mark(source, mark)
        arriving.prepare(target, [])
        follower = Follower(source, target, self._name)
        while mark.encode() not in follower.marks:
            follower.batch()
            APPLIED.reach()

    @override
    def give_up(self) -> None:
        with moving.connected(self._source_url) as source:
            if self._is_verified(source):
                raise Unmovable(
                    "the new side may have been written to: going back now would lose that. Move the database back from"
                    " there, or finish the cut-over"
                )
            moving.unfence(source)
            moving.forget(source, self._name)
        with moving.connected(self._target_url) as target:
            arriving.tidy(target)
        self._tell("the old database goes on alone")

    def _is_verified(self, source: Connection) -> bool:
        return moving.is_verified(source, self._name)
