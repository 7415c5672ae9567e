"""The cheapest changes after which certain edges lie on no cycle: what untangling and break-glass have in common.

An arc may be cut; or its source may adopt a pillar in place of its target, once that pillar is there; or, when only some
arcs must lie on no cycle (subset feedback arc set; Even, Naor, Schieber and Zosin, SIAM J. Discrete Math. 13(2), 2000), it
may become one that is allowed to. A demand is a cycle and one of these arcs on it: cut or replace an arc of the cycle, or
relieve that one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from drystone.l05_graph.arcs import Arcs
from drystone.l05_graph.arrays import Costs, Flags, Numbers
from drystone.l05_graph.covering import Puzzle
from drystone.l05_graph.cut import cut_of
from drystone.l05_graph.cycles import light_cycles, spread
from drystone.l05_graph.limits import Limit
from drystone.l05_graph.parts import ROWS
from drystone.l05_graph.strong import strong_components

MOST_REPAIRED = 3000


@dataclass(frozen=True, kw_only=True)
class Options:
    """What may be done, and what it costs; infinite where it may not.

    Attributes:
        arcs: With what it costs to cut each.
        marked: Which arcs must lie on no cycle.
        relieve: What it costs, for each arc, that it may lie on one.
        adopt: What it costs, for each arc, to take the pillar in place of its target.
        pillar: What it costs, for each vertex, to make one.
    """

    arcs: Arcs
    marked: Flags
    relieve: Costs
    adopt: Costs
    pillar: Costs


class Resolving(Puzzle):
    """The choices: cut, adopt and relieve for each arc, then a pillar for each vertex."""

    def __init__(self, options: Options, seed: int) -> None:
        arcs = options.arcs
        self._arcs, self._options, self._seed = arcs, options, seed
        adopt = np.where(options.adopt < arcs.cost, options.adopt, np.inf)
        adopt[np.isinf(options.pillar[arcs.target])] = np.inf
        self.cost = np.concatenate((arcs.cost, adopt, options.relieve, options.pillar))
        able = np.nonzero(np.isfinite(adopt))[0]
        self._pillars = 3 * arcs.count
        self.needs = np.stack((arcs.count + able, self._pillars + arcs.target[able]), axis=1)
        self._open = np.minimum(arcs.cost, adopt + options.pillar[arcs.target])
        # When no cycle may be left at all, each has an arc that the best answer changes: enough to look through those.
        self._all = bool(options.marked.all() and np.isinf(options.relieve).all())
        self._turn = 0
        self._hopeless()

    def _hopeless(self) -> None:
        arcs, fixed = self._arcs, np.isinf(self._open)
        _, core = strong_components(arcs.size, arcs.source[fixed], arcs.target[fixed])
        inside = fixed & (core[arcs.source] == core[arcs.target])
        hopeless = np.nonzero(self._options.marked & inside & np.isinf(self._options.relieve))[0]
        self._marked = self._options.marked.copy()
        self._marked[hopeless] = False
        _, first = np.unique(core[arcs.source[hopeless]], return_index=True)
        roots = hopeless[first]
        weight = np.where(fixed, 0.0, 1.0)
        nothing = np.zeros(len(roots))
        found = light_cycles(arcs, weight, roots, nothing, most=len(roots), limit=Limit(None))
        self.impossible = [cycle for _, cycle in found]
        """A cycle through a marked arc in each tangle where nothing can be changed; these stay."""

    def parts(self, choices: Costs) -> tuple[Costs, Costs, Costs, Costs]:
        """Take choices apart: cut, adopt and relieve for each arc, and pillars for each vertex."""
        count = self._arcs.count
        ends = (count, 2 * count, 3 * count, 3 * count + self._arcs.size)
        cut, adopt, relieve, pillar = np.split(choices, ends)[:4]
        return cut, adopt, relieve, pillar

    def _left(self, choices: Costs) -> Flags:
        """Tell which marked arcs still lie on a cycle."""
        cut, adopt, relieve, _ = self.parts(choices)
        kept = cut + adopt < 0.5
        return self._arcs.tangled(kept) & self._marked & (relieve < 0.5)

    @override
    def begin(self, limit: Limit) -> Flags:
        return self._closed(np.zeros(len(self.cost)), limit)

    @override
    def unmet(self, share: Costs, best: Flags, limit: Limit) -> list[Numbers]:
        cut, adopt, relieve, _ = self.parts(share)
        roots = np.nonzero(self._marked)[0]
        if self._all:
            chosen_cut, chosen_adopt, chosen_relieve, _ = self.parts(best.astype(np.float64))
            used = chosen_cut + chosen_adopt + chosen_relieve > 0
            roots = roots[used[roots]]
        self._turn += 97
        found = light_cycles(
            self._arcs,
            cut + adopt,
            roots,
            relieve[roots],
            most=4 * ROWS,
            limit=limit,
            begin=self._turn,
        )
        root_of = {cycle.tobytes(): root for root, cycle in found}
        chosen = spread([cycle for _, cycle in found], self._arcs.count, ROWS)
        return [self._demand(root_of[cycle.tobytes()], cycle) for cycle in chosen]

    def _demand(self, root: int, cycle: Numbers) -> Numbers:
        count = self._arcs.count
        every = np.concatenate((cycle, cycle + count, [root + 2 * count]))
        return every[np.isfinite(self.cost[every])]

    def cycle_of(self, demand: Numbers) -> Numbers:
        """Return the arcs of the cycle that can be cut."""
        return demand[demand < self._arcs.count]

    @override
    def repaired(self, share: Costs, limit: Limit) -> Flags:
        chosen = (share > 0.5).astype(np.float64)
        left = int(self._left(chosen).sum())
        if left > MOST_REPAIRED:
            return np.ones(len(self.cost), np.bool_)
        return self._closed(chosen, limit) if left else self._with_pillars(chosen > 0.5)

    def _closed(self, choices: Costs, limit: Limit) -> Flags:
        """Cut what is left, and no more than is needed."""
        chosen = choices > 0.5
        count = self._arcs.count
        kept = ~(chosen[:count] | chosen[count : 2 * count])
        inside = np.nonzero(self._arcs.tangled(kept))[0]
        if len(inside):
            part = self._arcs.only(inside)
            graph = Arcs(part.size, part.source, part.target, self._open[inside])
            more = inside[cut_of(graph, None, limit.part(0.3), self._seed).arcs]
            by_cut = self._arcs.cost[more] <= self._open[more]
            chosen[more[by_cut]] = True
            chosen[more[~by_cut] + count] = True
            if not self._all:
                chosen = self._trimmed(chosen, more, limit.part(0.3))
        return self._with_pillars(chosen)

    def _trimmed(self, chosen: Flags, extra: Numbers, limit: Limit) -> Flags:
        """Take back those of the extra ones that are not needed, the dearest first."""
        count = self._arcs.count
        for arc in extra[np.argsort(-self._open[extra], kind="stable")].tolist():
            if limit.is_over:
                break
            without = chosen.copy()
            without[[arc, arc + count]] = False
            if not self._left(without.astype(np.float64)).any():
                chosen = without
        return chosen

    def _with_pillars(self, chosen: Flags) -> Flags:
        count, target = self._arcs.count, self._arcs.target
        chosen = chosen.copy()
        chosen[self._pillars : self._pillars + self._arcs.size] = False
        chosen[self._pillars + target[np.nonzero(chosen[count : 2 * count])[0]]] = True
        return chosen
