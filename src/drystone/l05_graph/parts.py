"""The cheapest cut of a graph without opposite arcs: shrunk, and each strong component by itself.

An answer for the whole is there after a few passes over all arcs; then the components are solved one after the other, the
small ones first, for as long as there is time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from drystone.l05_graph.arcs import Arcs, ranks
from drystone.l05_graph.arrays import Costs, Flags, Numbers
from drystone.l05_graph.covering import Prover, Puzzle
from drystone.l05_graph.cycles import light_cycles, spread
from drystone.l05_graph.kicks import Kicks
from drystone.l05_graph.limits import Limit, OnProgress, Progress
from drystone.l05_graph.orders import cost_of, descended, first_places
from drystone.l05_graph.packing import packed
from drystone.l05_graph.put_back import put_back
from drystone.l05_graph.shrinking import can_shrink, shrunk
from drystone.l05_graph.sifting import Sifter
from drystone.l05_graph.strong import ordered_components

ROWS = 400
LEAST_SHARE = 0.1
SHRUNK_A_SECOND = 50_000
"""So many arcs are shrunk in a small part of a second; more only when there is time for it."""
MOST_RELAXED = 400_000
"""With more arcs than this linear programs say nothing in any time that people wait."""


@dataclass(frozen=True)
class Asked:
    """How to search."""

    limit: Limit
    seed: int
    on_progress: OnProgress


class Whole:
    """A graph without opposite arcs.

    Attributes:
        bound: No cut costs less, with what is paid already.
        witnesses: Cycles that show it.
    """

    def __init__(self, arcs: Arcs, wish: Costs | None, paid: float, asked: Asked) -> None:
        self._arcs, self._wish, self._asked = arcs, wish, asked
        self._cost = self.bound = paid
        self.witnesses: list[Numbers] = []

    def solved(self) -> Numbers:
        """Return places for all vertices: what leads upwards is cut."""
        of, numbers, inside = _inside(self._arcs)
        return _by_component(of, self._shrunk(inside, numbers))

    def _shrunk(self, arcs: Arcs, numbers: Numbers) -> Numbers:
        limit = self._asked.limit
        if arcs.count > limit.left * SHRUNK_A_SECOND or not can_shrink(arcs):
            place = self._in_components(arcs, self._wish)
            self.witnesses = [numbers[row] for row in self.witnesses]
            return place
        limit.spend(30 * arcs.count)
        small = shrunk(arcs)
        self._cost += small.paid
        self.bound += small.paid
        wish = None if self._wish is None else self._wish[small.vertices]
        place = small.expanded(self._in_components(small.arcs, wish))
        through = [np.concatenate([small.paths[arc] for arc in row]) for row in self.witnesses]
        self.witnesses = [numbers[row] for row in (*small.circles, *through)]
        return place

    def _in_components(self, arcs: Arcs, wish: Costs | None) -> Numbers:
        of, numbers, inside = _inside(arcs)
        place = first_places(inside, wish)
        if len(numbers):
            # Where nothing else can say much in time, most of it goes here.
            share = 0.3 if len(numbers) <= MOST_RELAXED else 0.7
            place = Sifter(inside).sifted(place, self._asked.limit.part(share))
            place = self._each(_Components(inside, of), numbers, place)
        return _by_component(of, place)

    def _each(self, components: _Components, numbers: Numbers, place: Numbers) -> Numbers:
        """Solve one component after the other, by the arcs in them."""
        costs = components.sums(np.where(components.arcs.back(place), components.arcs.cost, 0.0))
        lowest = components.lowest()
        self._cost += float(costs.sum())
        self.bound += float(lowest.sum())
        left = len(numbers)
        place = place.copy()
        for one in components.by_size():
            if self._asked.limit.is_over:
                break
            vertices, its, part = components.part(one)
            share = max(LEAST_SHARE, min(1.0, 2 * part.count / (left + part.count)))
            wish = None if self._wish is None else place[vertices]
            puzzle = CutPuzzle(
                part, ranks(place[vertices]), self._asked.seed, again=wish is not None
            )
            self._cost -= float(costs[one])
            self.bound -= float(lowest[one])
            limit = self._asked.limit.part(share)
            answer = Prover(puzzle, limit, self._tell).prove()
            place[vertices] = puzzle.place
            self._cost += answer.cost
            self.bound += max(answer.bound, float(lowest[one]))
            self.witnesses += [numbers[its[row]] for row in answer.demands]
            left -= part.count
        return place

    def _tell(self, one: Progress) -> None:
        self._asked.on_progress(
            Progress(
                doing=one.doing,
                cost=self._cost + one.cost,
                bound=self.bound + one.bound,
                elapsed=self._asked.limit.elapsed,
            )
        )


def _inside(arcs: Arcs) -> tuple[Numbers, Numbers, Arcs]:
    """Return the strong component of each vertex, the lower first, and the arcs inside of these."""
    _, of = ordered_components(arcs.size, arcs.begin, arcs.source, arcs.target)
    numbers = np.nonzero(of[arcs.source] == of[arcs.target])[0]
    return of, numbers, arcs.only(numbers)


def _by_component(of: Numbers, place: Numbers) -> Numbers:
    """Return places that go by component first."""
    found = np.empty(len(of), np.int64)
    found[np.lexsort((place, of))] = np.arange(len(of))
    return found


class _Components:
    """The strong components that have arcs.

    Args:
        arcs: All lie inside one.
        of: The component of each vertex.
    """

    def __init__(self, arcs: Arcs, of: Numbers) -> None:
        self.arcs = arcs
        used, self._of = np.unique(of[arcs.source], return_inverse=True)
        self._order = np.argsort(self._of, kind="stable")
        self._begin = np.searchsorted(self._of[self._order], np.arange(len(used) + 1))
        vertices = np.argsort(of, kind="stable")
        begin = np.searchsorted(of[vertices], used)
        end = np.searchsorted(of[vertices], used, side="right")
        self._vertices, self._spans = vertices, (begin, end)
        self._local = np.empty(arcs.size, np.int64)
        self._local[vertices] = np.arange(arcs.size)

    def sums(self, values: Costs) -> Costs:
        """Add up values of arcs in each."""
        return np.add.reduceat(values[self._order], self._begin[:-1])

    def lowest(self) -> Costs:
        """Return what the cheapest arc in each costs: every cut has one."""
        return np.minimum.reduceat(self.arcs.cost[self._order], self._begin[:-1])

    def by_size(self) -> list[int]:
        """Return them, those with few arcs first."""
        order: list[int] = np.argsort(np.diff(self._begin), kind="stable").tolist()
        return order

    def part(self, one: int) -> tuple[Numbers, Numbers, Arcs]:
        """Return vertices and arcs of one, ascending, and the graph of these."""
        begin, end = int(self._spans[0][one]), int(self._spans[1][one])
        its = self._order[self._begin[one] : self._begin[one + 1]]
        source, target = self.arcs.source[its], self.arcs.target[its]
        graph = Arcs(
            end - begin,
            self._local[source] - begin,
            self._local[target] - begin,
            self.arcs.cost[its],
        )
        return self._vertices[begin:end], its, graph


class CutPuzzle(Puzzle):
    """Cut every cycle of a strong graph without opposite arcs; the choices are its arcs.

    Args:
        arcs: The graph.
        place: Where to begin.
        seed: Of the search.
        again: Whether to begin from elsewhere as well.

    Attributes:
        place: Of the best answer.
    """

    searches = True

    def __init__(self, arcs: Arcs, place: Numbers, seed: int, *, again: bool = False) -> None:
        self.cost = arcs.cost
        self.relaxes = arcs.count <= MOST_RELAXED
        self._arcs, self._again = arcs, again
        self._kicks = Kicks(arcs, seed)
        self._sifter = Sifter(arcs)
        self.place = place
        self._price = cost_of(arcs, place)
        self._turn = 0

    @override
    def begin(self, limit: Limit) -> Flags:
        limit = limit.part(0.2)
        self._descend(self.place, limit)
        if self._again:
            self._descend(first_places(self._arcs), limit)
        return self._best()

    @override
    def first(self, limit: Limit) -> tuple[float, list[Numbers]]:
        roots = np.nonzero(self._best())[0]
        bound, cycles, left = packed(self._arcs, roots, limit=limit)
        kept = left > 0
        if not limit.is_over and not np.any(self._arcs.tangled(kept)):
            self._descend(self._arcs.places(kept), limit)
        return bound, cycles

    @override
    def unmet(self, share: Costs, best: Flags, limit: Limit) -> list[Numbers]:
        # Every cycle has an arc of the best cut, so that it is enough to look through those.
        roots = np.nonzero(best)[0]
        most = max(ROWS, len(roots))
        self._turn += 97
        found = light_cycles(
            self._arcs,
            share,
            roots,
            np.zeros(len(roots)),
            most=4 * most,
            limit=limit,
            begin=self._turn,
        )
        return spread([cycle for _, cycle in found], self._arcs.count, most)

    @override
    def repaired(self, share: Costs, limit: Limit) -> Flags:
        kept = share < 0.5
        if not np.any(self._arcs.tangled(kept)):
            self._descend(self._arcs.places(kept), limit)
        else:
            cost = self._arcs.finite * np.maximum(1 - share, 1e-3)
            cost[np.isinf(self.cost)] = np.inf
            guide = Arcs(self._arcs.size, self._arcs.source, self._arcs.target, cost)
            self._descend(descended(guide, Sifter(guide), self.place, limit), limit)
        return self._best()

    @override
    def improved(self, best: Flags, kicks: int, goal: float, limit: Limit) -> Flags:
        self._kicks.search(self.place, kicks, limit, goal)
        self._keep(put_back(self._arcs, self._kicks.place, limit))
        return self._best()

    def _descend(self, place: Numbers, limit: Limit) -> None:
        self._keep(descended(self._arcs, self._sifter, place, limit))

    def _keep(self, place: Numbers) -> None:
        price = cost_of(self._arcs, place)
        if price < self._price:
            self.place, self._price = place, price

    def _best(self) -> Flags:
        return self._arcs.back(self.place)
