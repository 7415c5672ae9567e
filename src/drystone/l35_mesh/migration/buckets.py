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
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import msgspec
from typing_extensions import override

from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l10_engines.objects.access import BucketAccess
from drystone.l10_engines.objects.moving import AT_ONCE, BucketEnd, Listed
from drystone.l35_mesh.migration.errors import DataDiverged, DataUnfit
from drystone.l35_mesh.migration.moves import DataMove
from drystone.l35_mesh.migration.notes import Notes, opened

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

Tell = Callable[[str], None]
_EXAMPLES = 5


class Times(msgspec.Struct, frozen=True):
    """How long things are waited for.

    Attributes:
        pause: Between two looks.
        quiet: For how long nothing may change in a bucket before it counts as still.
        patience: How long that may take.
    """

    pause: timedelta = timedelta(seconds=1)
    quiet: timedelta = timedelta(seconds=2)
    patience: timedelta = timedelta(seconds=60)


class BucketMove(DataMove):
    """One bucket on its way.

    Args:
        source: The old bucket and a key that may read it.
        target: The new one and a key that may write to it.
        notes: File for what the move writes down; its folder exists.
        hold: Lets nobody write to the old bucket, or everybody again; tells whether it is so. May be called again.
        tell: Hears what happens.
        is_enough: Whether somebody has had enough; asked between two pages.
        times: How long things are waited for.
    """

    def __init__(
        self,
        source: BucketAccess,
        target: BucketAccess,
        notes: Path,
        hold: Callable[[bool], bool],
        tell: Tell,
        *,
        is_enough: Callable[[], bool] = lambda: False,
        times: Times | None = None,
    ) -> None:
        self._source = BucketEnd(source)
        self._target = BucketEnd(target)
        self._path = notes
        self._hold = hold
        self._tell = tell
        self._is_enough = is_enough
        self._times = times or Times()
        # The key tells a bucket from one that had its name before; the address of a store may change.
        self._from = f"{source.bucket} of {source.access_key}"

    @override
    def begin(self) -> None:
        """Copy what there is, unless that was begun before.

        Raises:
            DataUnfit: The new bucket is not fit for it, or the move leads elsewhere already.
            Unavailable: A store does not answer; nothing is lost, try again.
        """
        if (known := self._known()) and known[0] != self._from:
            self._path.unlink()  # of a bucket that is gone
        with opened(self._path) as notes:
            if notes.ends is not None:
                if notes.ends[1] != str(self._target):
                    raise DataUnfit(
                        f"the bucket moves to {notes.ends[1]} already: give that move up first"
                    )
                self._tell("goes on where it was")
                return
            if str(self._source) == str(self._target):
                raise DataUnfit("the new bucket is the old one: name another")
            if not self._target.is_empty():
                raise DataUnfit("the new bucket has objects already: empty it first")
            notes.begin(self._from, str(self._target))
            self._look(notes, may_stop=True)
            if not self._is_enough():
                COPIED.reach()
                count, size = notes.total()
                self._tell(f"{self._source.access.bucket}: {count} objects, {size} bytes")

    @override
    def follow(self, until: Callable[[int], bool]) -> None:
        """Look again and again until somebody says so, who is given the bytes that the last look brought over.

        Raises:
            Unavailable: A store does not answer; nothing is lost, try again.
        """
        with opened(self._path) as notes:
            while not notes.is_verified:
                _, size = self._look(notes, may_stop=True)
                if until(size) or self._is_enough():
                    return
                time.sleep(self._times.pause.total_seconds())

    @override
    def cut_over(self, switch: Callable[[], None]) -> None:
        """Let nobody write to the old bucket, bring the rest over, compare, and give the traffic to the new side.

        Args:
            switch: Gives the traffic to the new side; may be called again.

        Raises:
            DataDiverged: The two do not hold the same; the old one may be written to again, and nothing has moved.
            Unavailable: A store does not answer; say it again, or give the move up.
        """
        with opened(self._path) as notes:
            if not notes.is_verified:
                self._bring_the_rest(notes)
                VERIFIED.reach()
            switch()
            SWITCHED.reach()
            time.sleep(self._times.quiet.total_seconds())
            self._bring_late_ones(notes)
            self._tell("the new side has everything; the old bucket is left as it is")

    @override
    def give_up(self) -> None:
        """Let the old bucket be written to again and forget the move; the objects in the new one stay.

        Raises:
            DataUnfit: Traffic has gone to the new side already.
        """
        if (known := self._known()) and known[0] == self._from and known[1]:
            raise DataUnfit(
                "the new side may have been written to: going back now would lose that. Move the bucket back from"
                " there, or finish the cut-over"
            )
        self._hold(False)
        self._path.unlink(missing_ok=True)
        self._tell("the old bucket goes on alone")

    def _known(self) -> tuple[str, bool] | None:
        """Return from where the noted move leads and whether both ends were the same; None when there is none."""
        if not self._path.exists():
            return None
        with opened(self._path) as notes:
            return None if notes.ends is None else (notes.ends[0], notes.is_verified)

    def _bring_the_rest(self, notes: Notes) -> None:
        is_held = self._hold(True)
        HELD.reach()
        self._tell(
            "the old bucket takes no more changes"
            if is_held
            else "the keys of the old bucket are not ours to change: whoever writes to it must stop now"
        )
        try:
            self._until_quiet(notes)
            DRAINED.reach()
            self._require_the_same(notes)
            if self._bring_besides(notes):
                self._require_the_same(notes)
        except DataDiverged:
            if is_held:
                self._hold(False)
                self._tell("the old bucket takes changes again")
            raise
        count, size = notes.total()
        self._tell(f"both buckets hold the same {count} objects, {size} bytes")
        notes.note_verified()

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
