"""What can come up, wave after wave, when all is lost: the fixpoint under the recovery order and under tangles.

Strong components after all that they need; inside of one whoever misses nothing serves, then those that lack nothing but each
other while serving, until nobody is left or nobody can.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from drystone.l05_graph.circles import circles
from drystone.l05_graph.needs import Needs, turned

NOT_YET = -1


def climbed(needs: Needs) -> Climb:
    """Bring up all that can come up."""
    climb = Climb(needs)
    for members in circles([needs.hard(one) for one in range(needs.size)]):
        climb.settle(members)
    return climb


@dataclass
class Climb:
    """How far everything has come.

    Attributes:
        needs: Whose.
        wave: The wave in which each serves, or :data:`NOT_YET`.
        together: Those that begin to serve at once, because they need each other while serving.
        because: What each that never serves misses.
    """

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
