"""When people work: which moment is the next, and when so much work is done."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from drystone.l05_graph.disaster import Shift

DAY_S = 86_400


class WorkingTime:
    """The times of each day at which a crew works; all times are whole seconds after the begin of the disaster.

    Args:
        awake: The shifts; the crew always works when there is none.
        begins: The time of day of the begin.
    """

    def __init__(self, awake: Iterable[Shift], begins: timedelta) -> None:
        self._begins = int(begins.total_seconds())
        self._spans = _merged(awake)
        self._daily = sum(end - start for start, end in self._spans)

    @property
    def is_always(self) -> bool:
        """Whether there is no pause."""
        return self._daily >= DAY_S

    def next(self, moment: int) -> int:
        """Return the first moment of work that is not before another moment."""
        if self.is_always:
            return moment
        day, clock = divmod(moment + self._begins, DAY_S)
        for start, end in self._spans:
            if clock < end:
                return max(moment, day * DAY_S + start - self._begins)
        return (day + 1) * DAY_S + self._spans[0][0] - self._begins

    def end(self, moment: int, work: int) -> int:
        """Return when work is done that begins at a moment of work and takes so many seconds of it."""
        if self.is_always:
            return moment + work
        days = max(0, work // self._daily - 1)
        moment, work = self.next(moment) + days * DAY_S, work - days * self._daily
        while True:
            day, clock = divmod(moment + self._begins, DAY_S)
            end = next((end for start, end in self._spans if start <= clock < end), clock)
            if work <= end - clock:
                return moment + work
            work -= end - clock
            moment = self.next(day * DAY_S + end - self._begins)


def _merged(awake: Iterable[Shift]) -> list[tuple[int, int]]:
    """Return the spans of a day, in order, without overlap; those past midnight in two parts."""
    parts = []
    for shift in awake:
        start = int(shift.begins.total_seconds())
        end = start + int(shift.lasts.total_seconds())
        parts.append((start, min(end, DAY_S)))
        if end > DAY_S:
            parts.append((0, end - DAY_S))
    merged: list[tuple[int, int]] = []
    for start, end in sorted(parts):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged or [(0, DAY_S)]
