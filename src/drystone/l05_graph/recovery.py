"""The order in which components come back after all of them are lost.

A component comes in the wave after the last one that it cannot start or run without. A circle of needs while serving
comes up together, in one wave. A circle with a need before serving in it never comes up by itself, and neither does what
rests on it. Of alternatives, enough suffice: that is a fixpoint over *and* and *or* (Dowling and Gallier, J. Logic
Programming 1(3), 1984), by the strong components of all needs, so that the whole takes linear time unless alternatives lie
inside a circle. Soft dependencies keep nobody waiting for a wave; they order the components inside one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

import msgspec

from drystone.l05_graph.circles import circles
from drystone.l05_graph.model import Key, Model
from drystone.l05_graph.needs import Needs, needs_of, turned
from drystone.l05_graph.words import Phase

NOT_YET = -1


class Together(msgspec.Struct, frozen=True):
    """Components that need each other while they serve, and so come up together.

    Attributes:
        members: By name.
        circle: One way around, from a member back to itself, each needing the next.
    """

    members: tuple[str, ...]
    circle: tuple[str, ...]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Who comes back when, and who never does.

    Attributes:
        waves: The first wave first; what most others need comes first in each.
        together: Groups whose members come up at once, each inside one wave.
        because: What each component that never comes up waits for.
        deadlocks: Circles of such waiting, each from a member back to itself; at least one of its needs counts before
            serving, so that nobody in it can be the first.
    """

    waves: tuple[tuple[str, ...], ...]
    together: tuple[Together, ...] = ()
    because: Mapping[str, str] = {}
    deadlocks: tuple[tuple[str, ...], ...] = ()

    @property
    def never(self) -> tuple[str, ...]:
        """What never comes up, by name."""
        return tuple(sorted(self.because))

    def path(self, name: str) -> tuple[str, ...]:
        """Return why a component never comes up: what it waits for, and so on, until a circle closes.

        Raises:
            KeyError: It does come up.
        """
        path, seen = [name], {name}
        while True:
            path.append(self.because[path[-1]])
            if path[-1] in seen:
                return tuple(path)
            seen.add(path[-1])


def recovery_order(
    model: Model, waived: Collection[Key] = (), at: Collection[Phase] = tuple(Phase)
) -> Order:
    """Put components into waves, each after what it cannot start or run without.

    Args:
        model: The components; what is not known about a dependency counts as hard.
        waived: Dependencies that are done without (break-glass), each by its key.
        at: The phases that count. A machine that starts again needs nothing that is needed at build time.
    """
    needs = needs_of(model, waived, at)
    climb = _Climb(needs)
    for members in circles([needs.hard(one) for one in range(needs.size)]):
        climb.settle(members)
    return _told(needs, climb)


@dataclass
class _Climb:
    """How far everything has come: the wave of each, and what each still misses."""

    needs: Needs
    wave: list[int] = field(init=False)
    together: list[list[int]] = field(default_factory=list)
    because: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        needs = self.needs
        self.wave = [NOT_YET] * needs.size
        self._early = [len(every) for every in needs.before]  # missing before serving
        self._late = [len(every) for every in needs.running]
        for group in needs.alternatives:
            self._early[group.of] += group.before
            self._late[group.of] += group.running
        self._have = [0] * len(needs.alternatives)
        self._early_users, self._late_users = turned(needs.before), turned(needs.running)

    def settle(self, members: list[int]) -> None:
        """Bring up what can be of a strong component, of which everything below is settled."""
        if len(members) == 1:
            one = members[0]
            if self._early[one] or self._late[one]:
                self.because[one] = self._missing(one)
            else:
                self._serve(one, self._next_wave(one))
            return
        inside = set(members)
        ready = [
            (self._next_wave(one), one)
            for one in members
            if not (self._early[one] or self._late[one])
        ]
        heapify(ready)
        while True:
            while ready:
                wave, one = heappop(ready)
                for user in self._serve(one, wave):
                    if user in inside:
                        heappush(ready, (self._next_wave(user), user))
            rest = [one for one in members if self.wave[one] == NOT_YET]
            groups = self._self_supporting(rest)
            if not groups:
                return
            for group in groups:
                self.together.append(group)
                among = set(group)
                wave = max(self._next_wave(one, among) for one in group)
                for one in group:
                    self._serve(one, wave)
            ready = [
                (self._next_wave(one), one)
                for one in rest
                if self.wave[one] == NOT_YET and not (self._early[one] or self._late[one])
            ]
            heapify(ready)

    def _serve(self, one: int, wave: int) -> list[int]:
        """Let a component serve; returns who misses nothing any more."""
        self.wave[one] = wave
        hit = []
        for user in self._early_users[one]:
            self._early[user] -= 1
            hit.append(user)
        for user in self._late_users[one]:
            self._late[user] -= 1
            hit.append(user)
        for number in self.needs.among[one]:
            group = self.needs.alternatives[number]
            self._have[number] += 1
            if self._have[number] == group.enough:
                self._early[group.of] -= group.before
                self._late[group.of] -= group.running
                hit.append(group.of)
        return [
            user
            for user in dict.fromkeys(hit)
            if self.wave[user] == NOT_YET and not (self._early[user] or self._late[user])
        ]

    def _next_wave(self, one: int, among: Collection[int] = ()) -> int:
        """Return the wave after everything that a component needs, those among which it comes up not counted."""
        wave, needs = self.wave, self.needs
        last = NOT_YET
        for need in needs.before[one]:
            last = max(last, wave[need])
        for need in needs.running[one]:
            last = max(last, wave[need])
        for number in needs.of[one]:
            group = needs.alternatives[number]
            at = sorted(
                NOT_YET if member in among else wave[member]
                for member in group.members
                if wave[member] != NOT_YET or member in among
            )
            last = max(last, at[group.enough - 1])
        return last + 1

    def _self_supporting(self, rest: list[int]) -> list[list[int]]:
        """Find the lowest groups that lack nothing but each other; says of all others what they lack."""
        candidates = {one for one in rest if not self._early[one]}
        lost = [one for one in sorted(candidates) if self._lacks(one, candidates)]
        for one in rest:
            if one not in candidates:
                self.because[one] = self._missing(one)
        for one in lost:
            self.because[one] = self._missing(one, candidates)
        candidates.difference_update(lost)
        while lost:
            one = lost.pop()
            hit = list(self._late_users[one])
            hit += [self.needs.alternatives[number].of for number in self.needs.among[one]]
            for user in hit:
                if user in candidates and self._lacks(user, candidates):
                    self.because[user] = one
                    candidates.discard(user)
                    lost.append(user)
        order = sorted(candidates)
        place = {one: number for number, one in enumerate(order)}
        leads = [[place[n] for n in self.needs.hard(one) if n in place] for one in order]
        groups = circles(leads)
        group_of = {number: which for which, group in enumerate(groups) for number in group}
        lowest = [
            sorted(order[number] for number in group)
            for which, group in enumerate(groups)
            if all(group_of[need] == which for number in group for need in leads[number])
        ]
        for group in lowest:
            for one in group:
                self.because.pop(one, None)
        return lowest

    def _lacks(self, one: int, candidates: set[int]) -> bool:
        wave = self.wave
        if any(wave[n] == NOT_YET and n not in candidates for n in self.needs.running[one]):
            return True
        groups = (self.needs.alternatives[number] for number in self.needs.of[one])
        return any(
            sum(wave[m] != NOT_YET or m in candidates for m in group.members) < group.enough
            for group in groups
        )

    def _missing(self, one: int, candidates: Collection[int] = ()) -> int:
        """Return a need that is not met; one that counts before serving if there is one."""
        groups = [self.needs.alternatives[number] for number in self.needs.of[one]]
        short = [g for g in groups if self._served(g.members, candidates) < g.enough]
        early = [n for g in short if g.before for n in g.members]
        late = [n for g in short if not g.before for n in g.members]
        for need in (*self.needs.before[one], *early, *self.needs.running[one], *late):
            if self.wave[need] == NOT_YET and need not in candidates:
                return need
        raise AssertionError(f"{self.needs.names[one]} misses nothing")

    def _served(self, members: Iterable[int], candidates: Collection[int]) -> int:
        return sum(self.wave[m] != NOT_YET or m in candidates for m in members)


def _told(needs: Needs, climb: _Climb) -> Order:
    names = needs.names
    waves: list[list[int]] = [[] for _ in range(max(climb.wave, default=NOT_YET) + 1)]
    for one, wave in enumerate(climb.wave):
        if wave != NOT_YET:
            waves[wave].append(one)
    because = {one: need for one, need in climb.because.items() if climb.wave[one] == NOT_YET}
    users = [0] * needs.size
    for one in range(needs.size):
        for need in set(needs.hard(one)):
            users[need] += 1
    return Order(
        waves=tuple(tuple(names[one] for one in _arranged(wave, needs, users)) for wave in waves),
        together=tuple(
            Together(tuple(sorted(names[one] for one in group)), _circle_in(group, needs))
            for group in sorted(climb.together, key=lambda group: min(names[one] for one in group))
        ),
        because={names[one]: names[need] for one, need in because.items()},
        deadlocks=_circles_of(because, names),
    )


def _arranged(wave: list[int], needs: Needs, users: list[int]) -> list[int]:
    """Order a wave: what others in it like to have first, then what most need, then by name."""
    inside = set(wave)
    wants = {one: {n for n in needs.soft[one] if n in inside and n != one} for one in wave}
    wanted_by: dict[int, list[int]] = {}
    for one, every in wants.items():
        for need in every:
            wanted_by.setdefault(need, []).append(one)
    every_one = sorted(wave, key=lambda one: (-users[one], needs.names[one]))
    rank = {one: number for number, one in enumerate(every_one)}
    ready = [rank[one] for one in every_one if not wants[one]]  # ascending, so it is a heap
    found: list[int] = []
    done: set[int] = set()
    left = iter(every_one)
    while len(found) < len(wave):
        # A circle of soft dependencies is entered at the component that most others need.
        one = every_one[heappop(ready)] if ready else next(n for n in left if n not in done)
        if one in done:
            continue
        done.add(one)
        found.append(one)
        for user in wanted_by.get(one, ()):
            wants[user].discard(one)
            if not wants[user] and user not in done:
                heappush(ready, rank[user])
    return found


def _circle_in(group: list[int], needs: Needs) -> tuple[str, ...]:
    """Follow needs inside a group, from the first by name, until a circle closes."""
    inside = set(group)
    following = {one: next(n for n in needs.hard(one) if n in inside) for one in group}
    (circle,) = _circles_of(following, needs.names)[:1]
    return circle


def _circles_of(
    following: Mapping[int, int], names: Collection[str]
) -> tuple[tuple[str, ...], ...]:
    """Return every circle of a mapping, each from its first name; what leads into one is left out."""
    named = tuple(names)
    seen: dict[int, int] = {}
    found = []
    for start in sorted(following):
        here, path = start, []
        while here in following and here not in seen:
            seen[here] = start
            path.append(here)
            here = following[here]
        if here in following and seen[here] == start:
            circle = [named[one] for one in path[path.index(here) :]]
            first = circle.index(min(circle))
            found.append((*circle[first:], *circle[:first], circle[first]))
    return tuple(sorted(found))
