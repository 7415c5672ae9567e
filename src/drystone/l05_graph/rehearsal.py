"""Bring back what is lost, event by event: the engine of tabletop exercises.

What a component needs before serving must serve when work on it begins; a free member of its crew then takes the most
urgent one, that is the one with the longest chain of work above it. It serves when it is in place and all that it needs
while serving does; a circle of needs while serving begins to serve together. All times are whole seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from drystone.l05_graph.circles import circles
from drystone.l05_graph.disaster import Event, FailsAgain, PeopleChange, TakesLonger
from drystone.l05_graph.rehearsal_plan import Plan, Reason, Work

NEVER = -1


@dataclass
class Run:
    """One rehearsal.

    Attributes:
        plan: What it rehearses.
        durations: How long work on each component takes, in seconds, when all soft dependencies serve.
        by_hand: Components that are brought up without what they need, from the begin.
        has_events: Whether what is planned to happen does.
    """

    plan: Plan
    durations: Sequence[int]
    by_hand: Sequence[int] = ()
    has_events: bool = True
    works: list[Work] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)
    served: list[int] = field(default_factory=list)
    cause: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        size, plan = self.plan.needs.size, self.plan
        self.served = [NEVER] * size
        self.cause = list(range(size))
        self._lost = list(plan.lost)
        self._placed = [not gone for gone in plan.lost]
        self._serving = [False] * size
        self._ended = [(NEVER, NEVER) for _ in plan.crews]
        self._wake_at = [NEVER] * len(plan.crews)
        self._dirty = set(range(len(plan.crews)))
        self._free = [crew.people for crew in plan.crews]
        self._ready: list[list[tuple[int, int]]] = [[] for _ in plan.crews]
        self._ready_at = [NEVER] * size
        self._reason = [Reason.BEGIN] * size
        self._because = [NEVER] * size
        self._going: dict[int, tuple[int, int, int, bool]] = {}
        self._extra: dict[int, list[int]] = {}
        self._slower: dict[int, float] = {}
        self._glass: set[int] = set()
        self._events: list[tuple[int, int, int, int]] = []
        self._count = 0
        self._now = 0
        self._planned = list(plan.disaster.events) if self.has_events else []

    def go(self) -> None:
        """Rehearse until nothing goes on any more."""
        for number, event in enumerate(self._planned):
            self._at(int(event.at.total_seconds()), _HAPPENS, number)
        self._recount()
        for one in self.by_hand:
            self._open(one)
        while True:
            self._dispatch()
            if self._events:
                self._step()
            elif not self._break_glass():
                return

    def is_placed(self, one: int) -> bool:
        """Tell whether a component is in place."""
        return self._placed[one]

    def waits(self, one: int) -> list[int]:
        """Return what a component that does not serve waits for, and so on, until a circle closes or nothing is left."""
        path, seen = [one], {one}
        while (following := self._lacks(path[-1])) is not None:
            path.append(following)
            if following in seen:
                break
            seen.add(following)
        return path

    def _lacks(self, one: int) -> int | None:
        needs = self.plan.needs
        plain = needs.running[one] if self._placed[one] else needs.before[one]
        extra = [
            need for need, users in self._extra.items() if one in users and not self._placed[one]
        ]
        groups = [needs.alternatives[number] for number in needs.of[one]]
        others = [
            m for g in groups if (g.running if self._placed[one] else g.before) for m in g.members
        ]
        short = [m for m in others if not self._serving[m]]
        lacking = [need for need in (*plain, *extra) if not self._serving[need]] or short
        return lacking[0] if lacking else None

    def _step(self) -> None:
        """Let everything happen that happens next."""
        self._now = self._events[0][0]
        while self._events and self._events[0][0] == self._now:
            _, _, kind, which = heappop(self._events)
            if kind == _HAPPENS:
                self._happen(self._planned[which])
            elif kind == _WAKES:
                self._dirty.add(which)
            elif kind == _ENDS and which in self._going and self._going[which][1] == self._now:
                self._finish(which)

    def _at(self, moment: int, kind: int, which: int) -> None:
        self._count += 1
        heappush(self._events, (moment, self._count, kind, which))

    # Work.

    def _dispatch(self) -> None:
        """Give what is ready to those who are free and awake."""
        for crew in sorted(self._dirty):
            ready = self._ready[crew]
            while ready and self._free[crew] > 0:
                awake = self.plan.times[crew].next(self._now)
                if awake > self._now:
                    if self._wake_at[crew] != awake:
                        self._wake_at[crew] = awake
                        self._at(awake, _WAKES, crew)
                    break
                _, one = heappop(ready)
                if self._could_begin(one):
                    self._begin(one, crew)
        self._dirty.clear()

    def _could_begin(self, one: int) -> bool:
        is_free = not self._placed[one] and one not in self._going
        return is_free and (self._early[one] == 0 or one in self._glass)

    def _begin(self, one: int, crew: int) -> None:
        reason, because = self._why_now(one, crew)
        glass = self.plan.glass[one]
        by_hand = one in self._glass and self._early[one] > 0
        by_hand = by_hand or (one in self.plan.waiving and self._lacks_waived(one))
        takes = glass if by_hand and glass is not None else self.durations[one]
        work = int(takes * self._slowness(one))
        ends = self.plan.times[crew].end(self._now, work)
        self._free[crew] -= 1
        self._going[one] = (self._now, ends, len(self.works), by_hand)
        self.works.append(Work(one, crew, self._now, ends, reason, because, by_hand, is_done=True))
        self._at(ends, _ENDS, one)

    def _why_now(self, one: int, crew: int) -> tuple[Reason, int]:
        """Return what the work waited for last, and which component that was."""
        if self._now == self._ready_at[one]:
            return self._reason[one], self._because[one]
        last, ended = self._ended[crew]
        if ended == self._now:
            return Reason.CREW, last
        return (Reason.EVENT if self.plan.times[crew].is_always else Reason.ASLEEP), NEVER

    def _lacks_waived(self, one: int) -> bool:
        return not all(self._serving[need] for need in self.plan.all_early[one])

    def _slowness(self, one: int) -> float:
        soft = self.plan.needs.soft[one]
        factor = self._slower.get(one, 1.0)
        if soft and self.plan.disaster.soft_factor:
            missing = [self._serving[need] for need in soft].count(False)
            factor *= 1 + self.plan.disaster.soft_factor * missing / len(soft)
        return factor

    def _finish(self, one: int) -> None:
        crew = self.plan.crew[one]
        del self._going[one]
        self._free[crew] += 1
        self._ended[crew] = (one, self._now)
        self._dirty.add(crew)
        self._placed[one] = True
        self._touch(self.plan.unit[one], one)

    def _stop(self, one: int) -> None:
        """Stop the work on a component; it is lost."""
        begins, _, number, _ = self._going.pop(one)
        self._free[self.plan.crew[one]] += 1
        self._dirty.add(self.plan.crew[one])
        old = self.works[number]
        self.works[number] = Work(
            one,
            old.crew,
            begins,
            self._now,
            old.reason,
            old.because,
            old.is_break_glass,
            is_done=False,
        )

    def _queue(self, one: int, reason: Reason, because: int) -> None:
        self._ready_at[one], self._reason[one], self._because[one] = self._now, reason, because
        self._dirty.add(self.plan.crew[one])
        heappush(self._ready[self.plan.crew[one]], (-self.plan.urgency[one], one))

    # Serving.

    def _touch(self, unit: int, cause: int) -> None:
        """Count one thing less that a unit misses, and let serve what now can."""
        self._left[unit] -= 1
        waiting = [(unit, cause)]
        while waiting:
            unit, cause = waiting.pop()
            if self.plan.is_mixed[unit]:
                members = self._supported(unit)
            else:
                members = self.plan.units[unit] if not self._left[unit] else []
            for one in members:
                self._serving[one] = True
                self.served[one], self.cause[one] = self._now, cause
            for one in members:
                waiting += [(touched, one) for touched in self._told(one)]

    def _told(self, one: int) -> list[int]:
        """Tell the users of a component that it serves; returns the units that may serve because of that."""
        plan, left, early = self.plan, self._left, self._early
        touched = []
        for unit in plan.late_units[one]:
            left[unit] -= 1
            if not left[unit] or plan.is_mixed[unit]:
                touched.append(unit)
        for user in (*plan.early_users[one], *self._extra.get(one, ())):
            early[user] -= 1
            if not early[user] and self._could_begin(user):
                self._queue(user, Reason.NEED, one)
        for number in plan.needs.among[one]:
            group = plan.needs.alternatives[number]
            self._have[number] += 1
            if self._have[number] != group.enough:
                continue
            if group.running:
                left[plan.unit[group.of]] -= 1
                touched.append(plan.unit[group.of])
            if group.before:
                early[group.of] -= 1
                if not early[group.of] and self._could_begin(group.of):
                    self._queue(group.of, Reason.NEED, one)
        return touched

    def _supported(self, unit: int) -> list[int]:
        """Return the members of a unit with alternatives inside that begin to serve now."""
        members = [one for one in self.plan.units[unit] if not self._serving[one]]
        could = {one for one in members if self._placed[one]}
        needs, serving = self.plan.needs, self._serving
        while True:
            lacking = {
                one
                for one in could
                if any(not serving[n] and n not in could for n in needs.running[one])
                or any(
                    sum(serving[m] or m in could for m in group.members) < group.enough
                    for group in (needs.alternatives[g] for g in needs.of[one])
                    if group.running
                )
            }
            if not lacking:
                return sorted(could)
            could -= lacking

    def _recount(self) -> None:
        """Find anew what serves and what everything misses."""
        plan, needs = self.plan, self.plan.needs
        serving = needs.serving(self._placed)
        self._have = [sum(serving[m] for m in g.members) for g in needs.alternatives]
        self._early = [sum(not serving[n] for n in every) for every in needs.before]
        self._left = [0] * len(plan.units)
        for one, extra in self._extra.items():
            for user in extra:
                self._early[user] += not serving[one]
        for one in range(needs.size):
            unit = plan.unit[one]
            self._left[unit] += not self._placed[one]
            self._left[unit] += sum(
                not serving[n] for n in needs.running[one] if plan.unit[n] != unit
            )
            if serving[one] and not self._serving[one]:
                self.served[one] = self._now
            elif self._serving[one] and not serving[one]:
                self.served[one] = NEVER
        for number, group in enumerate(needs.alternatives):
            is_short = self._have[number] < group.enough
            self._left[plan.unit[group.of]] += group.running and is_short
            self._early[group.of] += group.before and is_short
        self._serving = serving
        waiting = {one for ready in self._ready for _, one in ready}
        for one in range(needs.size):
            is_new = self._lost[one] and one not in waiting
            if is_new and self._early[one] == 0 and self._could_begin(one):
                self._queue(one, Reason.EVENT if self._now else Reason.BEGIN, NEVER)

    # What nobody planned.

    def _happen(self, event: Event) -> None:
        if isinstance(event, PeopleChange):
            crew = self.plan.crew_numbers.get(event.crew)
            if crew is not None:
                self._free[crew] += event.by
                self._dirty.add(crew)
            return
        one = self.plan.model.numbers[event.component]
        if isinstance(event, TakesLonger):
            self._slow_down(one, event.factor)
            return
        if isinstance(event, FailsAgain):
            self._placed[one] = False
            self._lost[one] = True
        elif self._placed[one]:
            return
        else:
            self._extra.setdefault(self.plan.model.numbers[event.needs], []).append(one)
        if one in self._going:
            self._stop(one)
        self._recount()

    def _slow_down(self, one: int, factor: float) -> None:
        self._slower[one] = self._slower.get(one, 1.0) * factor
        if one in self._going:
            begins, ends, number, by_hand = self._going[one]
            old, times = self.works[number], self.plan.times[self.plan.crew[one]]
            more = int((ends - self._now) * (factor - 1)) if factor > 1 else 0
            ends = times.end(times.next(ends), more) if more else ends
            self._going[one] = (begins, ends, number, by_hand)
            self.works[number] = Work(
                one, old.crew, begins, ends, old.reason, old.because, by_hand, is_done=True
            )
            self._at(ends, _ENDS, one)

    def _break_glass(self) -> bool:
        """Bring up the cheapest component that holds others up, without what it needs."""
        if not self.plan.disaster.may_break_glass:
            return False
        down = [one for one in range(self.plan.needs.size) if not self._serving[one]]
        one = self._cheapest(down)
        if one is None:
            return False
        self._open(one)
        return True

    def _open(self, one: int) -> None:
        self._glass.add(one)
        self.broken.append(one)
        self._queue(one, Reason.BREAK_GLASS, NEVER)

    def _cheapest(self, down: Iterable[int]) -> int | None:
        """Return whose break-glass step is the cheapest in the lowest circle that has one."""
        needs = self.plan.needs
        every = list(down)
        place = {one: number for number, one in enumerate(every)}
        leads = [[place[n] for n in needs.hard(one) if n in place] for one in every]
        for members in circles(leads):  # each after all that it leads to
            could = [
                every[number]
                for number in members
                if self.plan.glass[every[number]] is not None
                and not self._placed[every[number]]
                and every[number] not in self._glass
            ]
            if could:
                return min(could, key=self._price)
        return None

    def _price(self, one: int) -> tuple[float, int, int]:
        step = self.plan.model.components[one].break_glass
        return (step.cost if step else 0.0, -self.plan.urgency[one], one)


_ENDS, _WAKES, _HAPPENS = range(3)
