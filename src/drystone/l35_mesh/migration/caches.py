"""Moves what a Valkey or Redis holds to another one while it is used; runs in a process of its own.

The old server tells which keys are changed, and they come again, as they are then: a key that changes a thousand times
between two looks comes over once. It tells it to a connection, so what changes while nobody is connected is found by comparing
everything when the same command is given again. Not every change is told (a stream's readers, databases that are exchanged), so at the
end, while nobody may write, every key of both servers is compared. How far a move has come stands in its notes.

::

    copy ─ follow ─ follow … ─ hold ─ drain ─ compare ─┬─ switch
                                └────── let go ────────┘ when they differ
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import ClassVar

from typing_extensions import override

from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l10_engines.cache.access import CacheAccess
from drystone.l10_engines.cache.moving import NEVER, CacheEnd, Portion, Value
from drystone.l10_engines.cache.resp import Refused
from drystone.l35_mesh.migration.caches_fit import refused, require_fit
from drystone.l35_mesh.migration.errors import DataDiverged, DataUnfit
from drystone.l35_mesh.migration.noted_moves import NotedMove, Steps, Surroundings, Words
from drystone.l35_mesh.migration.notes import Notes

COPIED = FaultPoint("data.keys.copied", "the new server has what was there; nobody has followed")
WRITTEN = FaultPoint("data.keys.written", "the new server has some keys more")
HELD = FaultPoint("data.cache.held", "nobody may write to the old server any more")
DRAINED = FaultPoint("data.cache.drained", "every change that was told has come over")
VERIFIED = FaultPoint(
    "data.cache.verified", "both servers hold the same; traffic goes to the old side"
)
SWITCHED = FaultPoint("data.cache.switched", "traffic goes to the new side; nobody has said so")

_SKEW = timedelta(seconds=5)
"""By how much the clocks of two servers may differ: for so long a key may have expired at one of them alone."""

_AT_ONCE = 500
_PAUSE = timedelta(milliseconds=50)


class CacheMove(NotedMove):
    """The keys of one server on their way; connections are kept until :meth:`close`.

    Args:
        source: The old server and who may read it.
        target: The new one and who may write to it.
        around: What surrounds the move.
    """

    words: ClassVar[Words] = Words("the old server", "the keys move", "the keys", "the users")
    steps: ClassVar[Steps] = Steps(HELD, VERIFIED, SWITCHED)

    def __init__(self, source: CacheAccess, target: CacheAccess, around: Surroundings) -> None:
        self._source = CacheEnd(source)
        self._target = CacheEnd(target)
        # The password tells a server from one that had its address before.
        mark = hashlib.sha256(f"{source.user}:{source.password}".encode()).hexdigest()[:16]
        start = f"{source.database} of {mark}"
        super().__init__(around, start=start, end=str(self._target), pause=_PAUSE)
        self._notes: Notes | None = None
        self._changed: set[bytes] = set()
        self._is_all_changed = False
        self._dropped = 0
        """How many keys the new server had dropped before the end began, to make room."""
        self._ends = ExitStack()
        self._ends.callback(self._source.close)
        self._ends.callback(self._target.close)

    def close(self) -> None:
        """End the connections. Idempotent."""
        self._ends.close()

    @override
    def _copy_all(self, notes: Notes) -> None:
        self._require_fit()
        notes.begin(self._from, self._to, life=self._source.about().life)
        self._copy()

    @override
    def _go_on(self, notes: Notes) -> None:
        if not notes.is_verified:
            self._require_memory(notes.life)
            self._is_all_changed = True  # who knows what was, while nobody listened

    @override
    def _catch_up(self, notes: Notes) -> int:
        """Bring over what was changed; return how many keys that were."""
        return self._settle()

    @override
    @contextmanager
    def _noted(self) -> Iterator[Notes]:
        """Open the notes; what a server refuses meanwhile is told with what to do."""
        with super()._noted() as notes:
            self._notes = notes
            try:
                yield notes
            except Refused as e:
                raise refused(e, self._target) from e
            finally:
                self._notes = None

    # Whether it can be

    def _require_fit(self) -> None:
        pairs = list(self._databases())
        if require_fit(self._source, self._target, pairs).has_functions:
            self._tell("functions stay behind: load them at the new side")

    def _require_memory(self, life: str) -> None:
        about = self._source.about()
        if about.life != life and not about.is_durable:
            raise DataUnfit(
                "the old server was started anew and has lost what it held, while the new one has it: say --give-up and"
                " empty the new one to begin again, or let the service use the new one as it is"
            )

    def _databases(self) -> Iterator[tuple[int, int]]:
        """Take each database in turn at both ends, and return its numbers.

        Raises:
            DataUnfit: One is to come over into another, and there are more.
        """
        first, there = self._source.access.database, self._target.access.database
        at_source = self._source.databases() | {first}
        if there == first == 0:
            pairs = [(one, one) for one in sorted(self._noted_with(at_source))]
        elif at_source == {first} or first:
            pairs = [(first, there)]
        else:
            raise DataUnfit(
                f"the old server holds {len(at_source)} databases, and the new URL names one: leave its number away"
            )
        for one, other in pairs:
            self._source.select(one)
            self._target.select(other)
            yield one, other

    def _noted_with(self, databases: set[int]) -> set[int]:
        """Return every database that has ever come over; others of the new server are left alone."""
        assert self._notes is not None  # noqa: S101 - every step opens them
        known = self._notes.databases
        if not databases <= known:
            self._notes.note_databases(known | databases)
        return known | databases

    # Bringing over

    def _copy(self) -> None:
        count = 0
        self._collect()
        for _ in self._databases():
            for page in self._source.pages():
                if self._is_enough():
                    return
                for portion in self._source.portions(page):
                    self._bring(portion)
                count += len(page)
        COPIED.reach()
        self._tell(f"{count} keys")

    def _settle(self, *, is_last: bool = False) -> int:
        """Bring over what was changed; return how many keys. See :meth:`_look`."""
        self._collect()
        if self._is_all_changed:
            self._is_all_changed = False
            return self._look(is_last=is_last)
        changed, self._changed = sorted(self._changed), set()
        for at in range(0, len(changed), _AT_ONCE):
            page = changed[at : at + _AT_ONCE]
            for _ in self._databases():
                for portion in self._source.portions(page):
                    if is_last:
                        self._equal(portion, is_last=True)
                    else:
                        self._bring(portion)
        return len(changed)

    def _collect(self) -> None:
        """Take note of what others have changed, at either end: the new one is to be as the old one is."""
        for end in (self._source, self._target):
            changes = end.take_changes()
            self._changed |= changes.keys
            self._is_all_changed |= changes.is_everything

    def _bring(self, portion: Portion) -> None:
        if portion.kind:
            self._source.copy(portion.keys[0], portion.kind, self._target)
            WRITTEN.reach()
        else:
            values = self._source.values(portion.keys)
            self._write(list(zip(portion.keys, values, strict=True)))

    def _write(self, pairs: list[tuple[bytes, Value | None]]) -> None:
        if pairs:
            self._target.write(pairs)
            WRITTEN.reach()

    def _look(self, *, is_last: bool) -> int:
        """Compare everything and bring over what differs; return how many keys that are.

        Args:
            is_last: Whether nobody writes any more, so that what was brought over must be the same then.

        Raises:
            DataDiverged: It is not.
        """
        count = 0
        for _ in self._databases():
            for page in self._source.pages():
                if self._is_enough() and not is_last:
                    self._is_all_changed = True
                    return count
                for portion in self._source.portions(page):
                    count += self._equal(portion, is_last=is_last)
            for page in self._target.pages():
                known = self._source.present(page)
                gone = [key for key, is_there in zip(page, known, strict=True) if not is_there]
                self._write([(key, None) for key in gone])
                count += len(gone)
        return count

    def _equal(self, portion: Portion, *, is_last: bool) -> int:
        """Bring over those that differ; return how many."""
        keys = portion.keys
        if portion.kind:
            if self._is_same(keys[0]):
                return 0
            differing = keys
            self._bring(portion)
        else:
            here, there = self._source.values(keys), self._target.values(keys)
            pairs = [
                (key, one)
                for key, one, other in zip(keys, here, there, strict=True)
                if one != other and not (is_last and self._is_same(key))
            ]
            self._write(pairs)
            differing = [key for key, _ in pairs]
        if is_last:
            for key in differing:
                if not self._is_same(key):
                    raise DataDiverged(f"the two servers do not hold the same as {_shown(key)}")
        return len(differing)

    def _is_same(self, key: bytes) -> bool:
        """Tell whether a key means the same at both ends, however they write it down."""
        here, there = self._source.expires(key), self._target.expires(key)
        if here < NEVER or there < NEVER:
            return max(here, there) < NEVER or _is_passing(max(here, there))
        return here == there and self._source.digest(key) == self._target.digest(key)

    # The end

    @override
    def _bring_the_rest(self, notes: Notes) -> None:
        self._dropped = self._target.about().evicted
        super()._bring_the_rest(notes)

    @override
    def _make_equal(self, notes: Notes, *, is_held: bool) -> None:
        """Compare every key of both servers while nobody writes.

        Raises:
            DataDiverged: They do not hold the same, or somebody writes.
            DataUnfit: The old one has been started anew, and forgotten everything.
        """
        end = time.monotonic() + self._times.patience.total_seconds()
        if is_held:
            self._source.open()  # who may do what has changed, and with it connections may have ended
            self._require_memory(notes.life)
        self._until_quiet(end, is_held=is_held)
        DRAINED.reach()
        self._look(is_last=True)
        self._until_quiet(end, is_held=is_held, is_last=True)
        if self._target.about().evicted > self._dropped:
            raise DataDiverged("the new server drops keys to make room: give it more memory")
        total = sum(len(page) for _ in self._databases() for page in self._source.pages())
        self._tell(f"both servers hold the same {total} keys")

    def _until_quiet(self, end: float, *, is_held: bool, is_last: bool = False) -> None:
        """Settle until nothing was changed for a while, where others may still write, and once where they may not."""
        quiet = timedelta() if is_held else self._times.quiet
        since = time.monotonic()
        while True:
            if self._settle(is_last=is_last):
                since = time.monotonic()
            elif time.monotonic() - since >= quiet.total_seconds():
                return
            if time.monotonic() > end:
                raise DataDiverged("somebody still writes to the old server, or to the new one")
            time.sleep(self._times.pause.total_seconds())


def _is_passing(expires: int) -> bool:
    """Tell whether a key goes by itself in a moment, and may have gone already where a clock is ahead."""
    return expires != NEVER and expires / 1000 <= time.time() + _SKEW.total_seconds()


def _shown(key: bytes) -> str:
    """Return a key as people may read it."""
    text = repr(key[:80])[2:-1]
    return text + ("…" if len(key) > 80 else "")
