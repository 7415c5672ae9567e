"""Schedules from lists of activities.

The serial scheme takes an activity after the other and starts each as early as it can; every list that respects the order
gives a feasible schedule, and one of the lists gives the best. The parallel scheme goes through time and starts at each
moment what it can, the most urgent first (Kolisch, European J. Operational Research 90, 1996). Justification shifts
everything to the right and then to the left again, which never makes a schedule longer (Valls, Ballestín and Quintanilla,
European J. Operational Research 165, 2005).

How much of each resource is free is one whole number for each span of time, with a field for each resource and a bit
above each field that a subtraction clears when there is too little: one subtraction asks for all resources at once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from heapq import heappop, heappush

from drystone.l05_graph.needs import turned
from drystone.l05_graph.project import Project, in_order


class Scheme:
    """Makes schedules of one project.

    Args:
        project: A checked project.
    """

    def __init__(self, project: Project) -> None:
        width = max(project.capacities, default=0).bit_length() + 1
        kinds = range(len(project.capacities))
        self.size = project.size
        self.durations = list(project.durations)
        self.after = [sorted(set(every)) for every in project.after]
        self._users = turned(self.after)
        self._guard = sum(1 << (width * kind + width - 1) for kind in kinds)
        self._all = self._guard + _packed(project.capacities, width)
        self._demands = [_packed(demands, width) for demands in project.demands]

    def serial(self, order: Sequence[int]) -> list[int]:
        """Return the starts of the serial scheme.

        Args:
            order: Every activity, each after what it comes after.
        """
        durations, demands, after = self.durations, self._demands, self.after
        times, free = [0], [self._all]
        starts, ends = [0] * self.size, [0] * self.size
        for one in order:
            start = max([ends[other] for other in after[one]], default=0)
            if durations[one] and demands[one]:
                start = self._placed(times, free, start, one)
            starts[one], ends[one] = start, start + durations[one]
        return starts

    def _placed(self, times: list[int], free: list[int], start: int, one: int) -> int:
        """Take what an activity asks for, as early as it can be had; returns its start.

        Args:
            times: Where each span begins; the last one has no end.
            free: What is free in each span.
            start: The earliest one allowed.
            one: The activity.
        """
        guard, lasts, demand = self._guard, self.durations[one], self._demands[one]
        first = at = bisect_right(times, start) - 1
        last, end = len(times) - 1, start + lasts
        while True:
            if (free[at] - demand) & guard != guard:
                at += 1
                first, start = at, times[at]
                end = start + lasts
            elif at == last or times[at + 1] >= end:
                break
            else:
                at += 1
        if at == last or times[at + 1] != end:
            times.insert(at + 1, end)
            free.insert(at + 1, free[at])
        if times[first] != start:
            first += 1
            at += 1
            times.insert(first, start)
            free.insert(first, free[first - 1])
        for span in range(first, at + 1):
            free[span] -= demand
        return start

    def parallel(self, urgency: Sequence[float]) -> list[int]:
        """Return the starts of the parallel scheme, in which nothing waits without a reason.

        Args:
            urgency: Of each activity; the least goes first.
        """
        missing = [len(every) for every in self.after]
        ready = sorted((n for n in range(self.size) if not missing[n]), key=urgency.__getitem__)
        going: list[tuple[int, int]] = []
        starts = [0] * self.size
        now, free = 0, self._all
        while ready or going:
            waiting: list[int] = []
            for one in ready:
                if (free - self._demands[one]) & self._guard != self._guard:
                    waiting.append(one)
                    continue
                starts[one] = now
                free -= self._demands[one]
                heappush(going, (now + self.durations[one], one))
            now = going[0][0]
            while going and going[0][0] == now:
                ended = heappop(going)[1]
                free += self._demands[ended]
                waiting += self._freed(ended, missing)
            ready = sorted(waiting, key=urgency.__getitem__)
        return starts

    def _freed(self, ended: int, missing: list[int]) -> list[int]:
        """Count an activity as ended; returns those that now come after nothing any more."""
        for user in self._users[ended]:
            missing[user] -= 1
        return [user for user in self._users[ended] if not missing[user]]

    def makespan(self, starts: Sequence[int]) -> int:
        """Return when the last activity ends."""
        return max(map(int.__add__, starts, self.durations), default=0)


class Justifier:
    """Improves schedules by shifting everything to the right and back to the left.

    Args:
        project: A checked project.
    """

    def __init__(self, project: Project) -> None:
        self.forwards = Scheme(project)
        self._backwards = Scheme(project.reversed())
        self._place = [0] * project.size
        for place, one in enumerate(in_order(project)):
            self._place[one] = place

    def improved(self, starts: Sequence[int]) -> list[int]:
        """Return a schedule that is at most as long."""
        durations, place = self.forwards.durations, self._place
        ends = list(map(int.__add__, starts, durations))
        # Of those that end together, none may pass what it comes after: the later start first, then the later place.
        back = sorted(range(len(ends)), key=lambda one: (-ends[one], -starts[one], -place[one]))
        turned = self._backwards.serial(back)
        ends = list(map(int.__add__, turned, durations))
        return self.forwards.serial(
            sorted(range(len(ends)), key=lambda one: (-ends[one], -turned[one], place[one]))
        )

    def order_of(self, starts: Sequence[int]) -> list[int]:
        """Return the activities by their starts, each after what it comes after."""
        durations, place = self.forwards.durations, self._place
        return sorted(
            range(len(starts)),
            key=lambda one: (starts[one], starts[one] + durations[one], place[one]),
        )


def _packed(amounts: Sequence[int], width: int) -> int:
    return sum(amount << (width * kind) for kind, amount in enumerate(amounts))
