"""A move whose progress stands in notes in the home, and at whose end nobody may write to the old end for a while.

::

    begin ─ follow ─ follow … ─ hold ─ make equal ─┬─ switch ─ finish
                                 └──── let go ─────┘ when they differ

What is copied, and how both ends are compared, is for those who derive from it to say.
"""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import msgspec
from typing_extensions import override

from drystone.l00_kernel.fault_points import FaultPoint
from drystone.l35_mesh.migration.errors import DataDiverged, DataUnfit
from drystone.l35_mesh.migration.moves import DataMove
from drystone.l35_mesh.migration.notes import Notes, opened

Tell = Callable[[str], None]


class Times(msgspec.Struct, frozen=True):
    """How long things are waited for.

    Attributes:
        pause: Between two looks at what was changed.
        quiet: For how long nothing may change at the old end before it counts as still.
        patience: How long that may take.
    """

    pause: timedelta
    quiet: timedelta = timedelta(seconds=2)
    patience: timedelta = timedelta(seconds=60)


class Words(msgspec.Struct, frozen=True):
    """How a move speaks of what it moves.

    Attributes:
        old: The old end.
        goes: What moves, and that it does.
        moved: What moves.
        guards: Those that let somebody write to the old end.
    """

    old: str
    goes: str
    moved: str
    guards: str


class Steps(msgspec.Struct, frozen=True):
    """Places at which a mover may die.

    Attributes:
        held: Nobody may write to the old end any more.
        verified: Both ends hold the same; traffic goes to the old side.
        switched: Traffic goes to the new side; the move has not said so.
    """

    held: FaultPoint
    verified: FaultPoint
    switched: FaultPoint


class Surroundings(msgspec.Struct, frozen=True):
    """What surrounds a move.

    Attributes:
        notes: File for what the move writes down; its folder exists.
        hold: Lets nobody write to the old end, or everybody again; tells whether it is so. May be called again.
        tell: Hears what happens.
        is_enough: Whether somebody has had enough; asked between two looks.
        times: How long things are waited for; as long as suits what moves when None.
    """

    notes: Path
    hold: Callable[[bool], bool]
    tell: Tell
    is_enough: Callable[[], bool] = lambda: False
    times: Times | None = None


class NotedMove(DataMove):
    """One resource on its way.

    Args:
        around: What surrounds the move.
        start: Names the old end, as no other that had its place before.
        end: Names the new one.
        pause: Between two looks, unless the surroundings say it.
    """

    words: ClassVar[Words]
    steps: ClassVar[Steps]

    def __init__(self, around: Surroundings, *, start: str, end: str, pause: timedelta) -> None:
        self._path = around.notes
        self._hold = around.hold
        self._tell = around.tell
        self._is_enough = around.is_enough
        self._times = around.times or Times(pause)
        self._from = start
        self._to = end

    @override
    def begin(self) -> None:
        if (known := self._known()) and known[0] != self._from:
            self._path.unlink()  # of an end that is gone
        with self._noted() as notes:
            if notes.ends is None:
                self._copy_all(notes)
                return
            if notes.ends[1] != self._to:
                raise DataUnfit(
                    f"{self.words.goes} to {notes.ends[1]} already: give that move up first"
                )
            self._go_on(notes)
            self._tell("goes on where it was")

    @override
    def follow(self, until: Callable[[int], bool]) -> None:
        with self._noted() as notes:
            while not notes.is_verified:
                behind = self._catch_up(notes)
                if until(behind) or self._is_enough():
                    return
                time.sleep(self._times.pause.total_seconds())

    @override
    def cut_over(self, switch: Callable[[], None]) -> None:
        with self._noted() as notes:
            if not notes.is_verified:
                self._bring_the_rest(notes)
                self.steps.verified.reach()
            switch()
            self.steps.switched.reach()
            self._finish(notes)
            self._tell(f"the new side has everything; {self.words.old} is left as it is")

    @override
    def give_up(self) -> None:
        if (known := self._known()) and known[0] == self._from and known[1]:
            raise DataUnfit(
                "the new side may have been written to: going back now would lose that. Move"
                f" {self.words.moved} back from there, or finish the cut-over"
            )
        self._hold(False)
        self._path.unlink(missing_ok=True)
        self._tell(f"{self.words.old} goes on alone")

    def _known(self) -> tuple[str, bool] | None:
        """Return from where the noted move leads and whether both ends were the same; None when there is none."""
        if not self._path.exists():
            return None
        with opened(self._path) as notes:
            return None if notes.ends is None else (notes.ends[0], notes.is_verified)

    @contextmanager
    def _noted(self) -> Iterator[Notes]:
        """Open the notes for one step."""
        with opened(self._path) as notes:
            yield notes

    def _bring_the_rest(self, notes: Notes) -> None:
        is_held = self._hold(True)
        self.steps.held.reach()
        self._tell(
            f"{self.words.old} takes no more changes"
            if is_held
            else f"{self.words.guards} of {self.words.old} are not ours to change: whoever writes to it must stop now"
        )
        try:
            self._make_equal(notes, is_held=is_held)
        except DataDiverged:
            if is_held:
                self._hold(False)
                self._tell(f"{self.words.old} takes changes again")
            raise
        notes.note_verified()

    @abc.abstractmethod
    def _copy_all(self, notes: Notes) -> None:
        """See that the new end is fit, note that the move has begun, and copy what there is.

        Raises:
            DataUnfit: It is not.
        """

    def _go_on(self, notes: Notes) -> None:
        """See that a move that began before can go on.

        Raises:
            DataUnfit: It cannot.
        """

    @abc.abstractmethod
    def _catch_up(self, notes: Notes) -> int:
        """Bring over what was changed; return how far behind the new end was."""

    @abc.abstractmethod
    def _make_equal(self, notes: Notes, *, is_held: bool) -> None:
        """Bring the rest over and compare, while nobody is to write.

        Args:
            notes: Of the move.
            is_held: Whether nobody can write.

        Raises:
            DataDiverged: Both ends do not hold the same, or somebody writes.
        """

    def _finish(self, notes: Notes) -> None:
        """Do what is left once the traffic goes to the new side."""
