"""Moves a bucket to another store while it is used; runs in a process of its own.

Nobody tells what changes in a bucket. So it is listed again and again, and what is listed otherwise than it came over comes
again; what is no longer listed is removed. Whatever dies: giving the same command again goes on where it was. How far a move
has come stands in its notes, and that nobody may write to the old bucket where the store has its keys.

::

    copy ─ look ─ look … ─ hold ─ drain ─ verify ─┬─ switch ─ look for late ones
                            └──── let go ─────────┘ when they differ
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import ClassVar

from typing_extensions import override

from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l10_engines.objects.access import BucketAccess
from drystone.l10_engines.objects.moving import AT_ONCE, BucketEnd, Listed
from drystone.l35_mesh.migration.errors import DataDiverged, DataUnfit
from drystone.l35_mesh.migration.noted_moves import NotedMove, Steps, Surroundings, Words
from drystone.l35_mesh.migration.notes import Notes

COPIED = FaultPoint("data.bucket.copied", "the new bucket has what was there; nobody has followed")
WRITTEN = FaultPoint("data.objects.written", "objects are in the new bucket; nobody has noted it")
HELD = FaultPoint("data.bucket.held", "nobody may write to the old bucket any more")
DRAINED = FaultPoint("data.bucket.drained", "every change has come over")
VERIFIED = FaultPoint(
    "data.bucket.verified", "both buckets hold the same; traffic goes to the old side"
)
SWITCHED = FaultPoint(
    "data.bucket.switched", "traffic goes to the new side; late objects were not looked for"
)

_EXAMPLES = 5
_PAUSE = timedelta(seconds=1)


class BucketMove(NotedMove):
    """One bucket on its way.

    Args:
        source: The old bucket and a key that may read it.
        target: The new one and a key that may write to it.
        around: What surrounds the move.
    """

    words: ClassVar[Words] = Words("the old bucket", "the bucket moves", "the bucket", "the keys")
    steps: ClassVar[Steps] = Steps(HELD, VERIFIED, SWITCHED)

    def __init__(self, source: BucketAccess, target: BucketAccess, around: Surroundings) -> None:
        self._source = BucketEnd(source)
        self._target = BucketEnd(target)
        # The key tells a bucket from one that had its name before; the address of a store may change.
        start = f"{source.bucket} of {source.access_key}"
        super().__init__(around, start=start, end=str(self._target), pause=_PAUSE)

    @override
    def _copy_all(self, notes: Notes) -> None:
        if str(self._source) == str(self._target):
            raise DataUnfit("the new bucket is the old one: name another")
        if not self._target.is_empty():
            raise DataUnfit("the new bucket has objects already: empty it first")
        notes.begin(self._from, self._to)
        self._look(notes, may_stop=True)
        if not self._is_enough():
            COPIED.reach()
            count, size = notes.total()
            self._tell(f"{self._source.access.bucket}: {count} objects, {size} bytes")

    @override
    def _catch_up(self, notes: Notes) -> int:
        """Look once more; return the bytes that this brought over."""
        return self._look(notes, may_stop=True)[1]

    @override
    def _make_equal(self, notes: Notes, *, is_held: bool) -> None:
        self._until_quiet(notes)
        DRAINED.reach()
        self._require_the_same(notes)
        if self._bring_besides(notes):
            self._require_the_same(notes)
        count, size = notes.total()
        self._tell(f"both buckets hold the same {count} objects, {size} bytes")

    @override
    def _finish(self, notes: Notes) -> None:
        time.sleep(self._times.quiet.total_seconds())
        self._bring_late_ones(notes)

    def _until_quiet(self, notes: Notes) -> None:
        """Look until nothing changes any more: uploads that began before may still end."""
        begun = time.monotonic()
        still_since: float | None = None
        while True:
            at = time.monotonic()
            if self._look(notes)[0]:
                still_since = None
            elif still_since is None:
                still_since = at
            if still_since is not None and at - still_since >= self._times.quiet.total_seconds():
                return
            if at - begun > self._times.patience.total_seconds():
                raise DataDiverged("somebody still writes to the old bucket")
            time.sleep(min(self._times.pause, self._times.quiet / 4).total_seconds())

    def _look(self, notes: Notes, *, may_stop: bool = False) -> tuple[int, int]:
        """List the whole old bucket and bring over what has changed; return how much: objects, bytes."""
        look, count, size = notes.new_look(), 0, 0
        for page in self._source.pages():
            if may_stop and self._is_enough():
                return count, size  # what was not listed is not gone
            changed = notes.changed(page)
            self._bring(notes, changed)
            notes.seen(page, look)
            count, size = count + len(changed), size + sum(one.size for one in changed)
        while gone := notes.unseen(look):
            self._target.remove(gone)
            notes.forget(gone)
            count += len(gone)
        return count, size

    def _bring(self, notes: Notes, listed: list[Listed]) -> None:
        if not listed:
            return
        notes.intend(one.key for one in listed)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            copies = list(pool.map(lambda one: self._source.copy(one.key, self._target), listed))
        WRITTEN.reach()
        notes.arrived((one, copy) for one, copy in zip(listed, copies, strict=True) if copy)

    def _bring_besides(self, notes: Notes) -> int:
        """Bring headers, metadata and tags over, of whose changes no listing tells; return of how many objects."""
        count = 0
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for page in self._source.pages():
                same = pool.map(self._is_same_beside, page)
                others = [one for one, is_same in zip(page, same, strict=True) if not is_same]
                self._bring(notes, others)
                if still := [one.key for one in others if not self._is_same_beside(one)]:
                    raise DataDiverged(f"the new store does not keep all of {_some(still)}")
                count += len(others)
        return count

    def _is_same_beside(self, one: Listed) -> bool:
        return self._source.beside(one.key) == self._target.beside(one.key)

    def _require_the_same(self, notes: Notes) -> None:
        """Compare what the new bucket lists with what came over, of which each byte was compared.

        Raises:
            DataDiverged: They differ, or somebody wrote to the old bucket meanwhile.
        """
        look, others = notes.new_look(), list[str]()
        for page in self._target.pages():
            others += [one.key for one in page if notes.written(one.key) != (one.etag, one.size)]
            notes.seen(page, look)
            if len(others) > _EXAMPLES:
                break
        if others:
            raise DataDiverged(f"the new bucket holds others, or other bytes: {_some(others)}")
        if missing := notes.unseen(look):
            raise DataDiverged(f"the new bucket lacks {_some(missing)}")
        if self._look(notes)[0]:
            raise DataDiverged("somebody wrote to the old bucket while both were compared")

    def _bring_late_ones(self, notes: Notes) -> None:
        """Bring over what uploads that had begun before the hold have left, unless the new side has written since."""
        for page in self._source.pages():
            for one in notes.changed(page):
                before, there = notes.written(one.key), self._target.etag(one.key)
                if there not in {before[0] if before else None, one.etag}:
                    self._tell(f"{one.key} was written at both sides: the new side's stays")
                    continue
                if copy := self._source.copy(one.key, self._target):
                    notes.intend([one.key])
                    notes.arrived([(one, copy)])
                self._tell(f"{one.key} came late, and was brought over")


def _some(keys: Iterable[str]) -> str:
    every = list(keys)
    rest = len(every) - _EXAMPLES
    return ", ".join(every[:_EXAMPLES]) + (f" and {rest} more at least" if rest > 0 else "")
