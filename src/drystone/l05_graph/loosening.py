"""The cheapest changes after which everything comes up, where some needs have alternatives.

With alternatives a deadlock is no circle any more but an *and-or loop*: components of which each lacks a need that only the
others could meet; of a need with alternatives it lacks so many that too few are left (loop formulas; Lin and Zhao,
Artificial Intelligence 157, 2004). Each loop is a demand: one of its dependencies must be changed. Loops are found where a
solution leaves somebody who never comes up (:mod:`~drystone.l05_graph.climb`): everybody there points to a need that it
lacks, and those who point at each other alone are a loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from drystone.l05_graph.arcs import merged
from drystone.l05_graph.arrays import Costs, Flags, Numbers
from drystone.l05_graph.circles import circles
from drystone.l05_graph.climb import NOT_YET, Climb, climbed
from drystone.l05_graph.cut import cut_of
from drystone.l05_graph.limits import Limit
from drystone.l05_graph.needs import Alternatives, Needs
from drystone.l05_graph.rounding import Rounding


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Needs of vertices, and what may be done about each; infinite where it may not.

    Attributes:
        size: How many vertices there are.
        source: Who needs.
        target: What.
        early: Whether it counts before serving; of alternatives all do or none.
        late: Whether it counts while serving.
        group: The group of alternatives, -1 for none.
        at_least: How many of each group are needed.
        cut: What it costs to do without.
        adopt: What it costs to take the pillar in place of the target.
        relieve: What it costs that it no longer counts before serving.
        pillar: What it costs, for each vertex, to make one.
    """

    size: int
    source: Numbers
    target: Numbers
    early: Flags
    late: Flags
    group: Numbers
    at_least: Numbers
    cut: Costs
    adopt: Costs
    relieve: Costs
    pillar: Costs

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.source)


class Loosening(Rounding):
    """The choices: cut, adopt and relieve for each line, then a pillar for each vertex."""

    def __init__(self, lines: Lines, seed: int) -> None:
        self._lines, self._seed = lines, seed
        adopt = np.where(lines.adopt < lines.cut, lines.adopt, np.inf)
        adopt[np.isinf(lines.pillar[lines.target])] = np.inf
        self.cost = np.concatenate((lines.cut, adopt, lines.relieve, lines.pillar))
        able = np.nonzero(np.isfinite(adopt))[0]
        self._pillars = 3 * lines.count
        self.needs = np.stack((lines.count + able, self._pillars + lines.target[able]), axis=1)
        self._open = np.minimum(lines.cut, adopt + lines.pillar[lines.target])
        self._source, self._target = lines.source.tolist(), lines.target.tolist()
        self._early, self._late = lines.early.tolist(), lines.late.tolist()
        self._group, self._at_least = lines.group.tolist(), lines.at_least.tolist()
        self._given: frozenset[int] = frozenset()
        able_now = np.isfinite(self.cost[: 3 * lines.count])
        state = self._climb(np.concatenate((able_now, np.zeros(lines.size, np.bool_))))
        self.impossible = [np.array(loop, np.int64) for loop in self._loops(state)]
        """Loops of which nothing can be changed, one for each place; these stay."""
        self._given = frozenset(state.stuck)

    def parts(self, choices: Flags) -> tuple[Flags, Flags, Flags, Flags]:
        """Take choices apart: cut, adopt and relieve for each line, and pillars for each vertex."""
        count = self._lines.count
        cut, adopt, relieve, pillar = np.split(choices, (count, 2 * count, 3 * count))
        return cut, adopt, relieve, pillar

    def cycle_of(self, demand: Numbers) -> Numbers:
        """Return the lines of a loop that can be cut."""
        return demand[demand < self._lines.count]

    def _climb(self, choices: Flags) -> _State:
        """Bring up what can be once these choices are made."""
        cut, adopt, relieve, _ = self.parts(choices)
        out = (cut | adopt).tolist()
        early = (self._lines.early & ~relieve).tolist()
        size = self._lines.size
        lists: list[list[list[int]]] = [[[] for _ in range(size)] for _ in range(5)]
        needs = Needs(
            [str(one) for one in range(size)], lists[0], lists[1], lists[2], [], *lists[3:]
        )
        line_of: dict[tuple[int, int, bool], int] = {}
        members: dict[int, list[int]] = {}
        gone: dict[int, int] = {}
        given = self._given
        for line, (source, target) in enumerate(zip(self._source, self._target, strict=True)):
            which = self._group[line]
            if source in given:
                continue
            if which >= 0:
                if out[line] or target in given:
                    gone[which] = gone.get(which, 0) + 1
                else:
                    members.setdefault(which, []).append(line)
            elif not out[line] and target not in given:
                if early[line]:
                    needs.before[source].append(target)
                    line_of[source, target, True] = line
                if self._late[line]:
                    needs.running[source].append(target)
                    line_of[source, target, False] = line
        for which, some in members.items():
            enough = self._at_least[which] - gone.get(which, 0)
            if enough > 0:
                targets = tuple(self._target[line] for line in some)
                when = self._early[some[0]], self._late[some[0]]
                needs.add(Alternatives(self._source[some[0]], enough, targets, tuple(some), *when))
        return _State(climbed(needs), line_of)

    def _loops(self, state: _State) -> list[list[int]]:
        """Return loops that have nothing in common, as their lines."""
        place = {vertex: number for number, vertex in enumerate(state.stuck)}
        picks = [state.picks[vertex] for vertex in state.stuck]
        following = [[place[self._target[line]] for line in pick] for pick in picks]
        found = []
        groups = circles(following)
        of = {number: which for which, some in enumerate(groups) for number in some}
        for which, some in enumerate(groups):
            if all(of[other] == which for number in some for other in following[number]):
                found.append(sorted({line for number in some for line in picks[number]}))
        return found

    def _demand(self, loop: Sequence[int], relieved: Flags) -> Numbers:
        lines = np.array(loop, np.int64)
        count = self._lines.count
        early = lines[self._lines.early[lines] & ~relieved[lines]]
        every = np.concatenate((lines, lines + count, early + 2 * count))
        return every[np.isfinite(self.cost[every])]

    @override
    def begin(self, limit: Limit) -> Flags:
        # As if every alternative were needed: too dear, but there at once.
        lines = self._lines
        arcs, arc_of = merged(lines.size, lines.source, lines.target, self._open)
        chosen = np.zeros(len(self.cost), np.bool_)
        cut = cut_of(arcs, None, limit.part(0.3), self._seed).arcs[arc_of]
        by_cut = lines.cut <= self._open
        chosen[: lines.count] = cut & by_cut
        chosen[lines.count : 2 * lines.count] = cut & ~by_cut
        if self._is_stuck(chosen):
            chosen[: 3 * lines.count] = np.isfinite(self.cost[: 3 * lines.count])
        return self.trimmed(chosen, limit.part(0.3))

    @override
    def open(self, chosen: Flags) -> list[Numbers]:
        relieved = chosen[2 * self._lines.count : self._pillars]
        return [self._demand(loop, relieved) for loop in self._loops(self._climb(chosen))]

    def _is_stuck(self, chosen: Flags) -> bool:
        return bool(self._climb(chosen).stuck)

    @override
    def trimmed(self, chosen: Flags, limit: Limit) -> Flags:
        """Take back what is not needed, the dearest first."""
        count = 3 * self._lines.count
        price = np.where(np.isfinite(self.cost), self.cost, 0.0)[:count]
        made = np.nonzero(chosen[:count])[0]
        for choice in made[np.argsort(-price[made], kind="stable")].tolist():
            if limit.is_over:
                break
            chosen[choice] = False
            if self._is_stuck(chosen):
                chosen[choice] = True
        chosen[count:] = False
        adopted = np.nonzero(chosen[self._lines.count : 2 * self._lines.count])[0]
        chosen[self._pillars + self._lines.target[adopted]] = True
        return chosen


class _State:
    """What came up, and what everybody else lacks."""

    def __init__(self, climb: Climb, line_of: dict[tuple[int, int, bool], int]) -> None:
        self.climb = climb
        self.stuck = [v for v, wave in enumerate(climb.wave) if wave == NOT_YET]
        self._line_of = line_of
        self.picks: dict[int, list[int]] = {}
        """For each that is stuck the lines of a need that it lacks: one, or so many alternatives that too few are left."""
        left = set(self.stuck)
        lost = [one for one in self.stuck if self._pick(one, set(), is_early=True)]
        # Who lacks something only while serving points to those that were lost before, so that pointing ends at somebody
        # who cannot be brought into place: without that, a loop of such could begin to serve together.
        while lost:
            left.difference_update(lost)
            lost = [
                one for one in self.stuck if one in left and self._pick(one, left, is_early=False)
            ]

    def _pick(self, vertex: int, left: set[int], *, is_early: bool) -> bool:
        """Find a need that a vertex lacks when those that are left may serve."""
        needs, wave = self.climb.needs, self.climb.wave
        for need in (needs.before if is_early else needs.running)[vertex]:
            if wave[need] == NOT_YET and need not in left:
                self.picks[vertex] = [self._line_of[vertex, need, is_early]]
                return True
        for group in (needs.alternatives[number] for number in needs.of[vertex]):
            if group.before if is_early else group.running:
                pairs = zip(group.members, group.lines, strict=True)
                missing = [line for m, line in pairs if wave[m] == NOT_YET and m not in left]
                few = len(group.members) - group.enough + 1
                if len(missing) >= few:
                    self.picks[vertex] = missing[:few]
                    return True
        return False
