"""Untangling under decided layers: what does not fit them is changed, or a layer is moved.

Two sorts of demands at once: cycles as in :mod:`~drystone.l05_graph.resolving`, and paths that are too long for the decided
layers at their ends. Of such a path an arc is cut, replaced or relieved, or one of the two layers is moved for its price.
Only arcs that must lie on no cycle count: what may start together has no order.
"""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from drystone.l05_graph.arcs import Arcs
from drystone.l05_graph.arrays import Costs, Flags, Numbers
from drystone.l05_graph.limits import Limit
from drystone.l05_graph.pinned import FREE, Late, Pinned, heights_under, possible
from drystone.l05_graph.resolving import Options, Resolving

KEPT = (0.5, 0.9)
"""An arc is kept where less than so much of it is changed; tried until a path does not fit."""


class Relayering(Resolving):
    """The choices of :class:`Resolving`, then to move the layer of each vertex.

    Args:
        options: What may be done about arcs.
        pin: The decided layer of each vertex, or :data:`FREE`.
        price: What it costs to move it; infinite where nobody may.
        seed: Of the search.

    Attributes:
        contradictions: Layers that neither may be moved nor allow what cannot be changed; they are not followed.
    """

    def __init__(self, options: Options, pin: Numbers, price: Costs, seed: int) -> None:
        super().__init__(options, seed)
        arcs = options.arcs
        self._moves = len(self.cost)
        self.cost = np.concatenate((self.cost, np.where(pin == FREE, np.inf, price)))
        self._cheapest = np.minimum(self._open, options.relieve)
        fixed = np.nonzero(self._marked & np.isinf(self._cheapest))[0]
        held = np.where(np.isinf(price), pin, FREE)
        left, self.contradictions = possible(self._with_costs(fixed), held, fixed)
        self._pin = np.where(np.isinf(price), left, pin)
        self._size = arcs.size

    def _with_costs(self, numbers: Numbers) -> Arcs:
        arcs = self._arcs
        return Arcs(arcs.size, arcs.source[numbers], arcs.target[numbers], self._cheapest[numbers])

    def moved(self, choices: Costs) -> Flags:
        """Tell whose layers are moved."""
        return np.asarray(choices[self._moves :] > 0.5)

    def late(self, choices: Costs, least: float = KEPT[0]) -> tuple[Numbers, list[Late]]:
        """Return the lowest layers once these choices are made, and where they do not fit."""
        cut, adopt, relieve, _ = self.parts(choices)
        kept = self._marked & (cut + adopt + relieve < least)
        kept &= ~self._arcs.tangled(kept)
        return heights_under(self._arcs, kept, np.where(self.moved(choices), FREE, self._pin))

    def _row(self, late: Late) -> Numbers:
        path, count = np.array(late.path, np.int64), self._arcs.count
        ends = np.array(late.ends) + self._moves
        every = np.concatenate((path, path + count, path + 2 * count, ends))
        row: Numbers = every[np.isfinite(self.cost[every])]
        return row

    @override
    def unmet(self, share: Costs, best: Flags, limit: Limit) -> list[Numbers]:
        rows = super().unmet(share, best, limit)
        for least in KEPT:
            found = [self._row(one) for one in self.late(share, least)[1]]
            found = [row for row in found if share[row].sum() < 1 - 1e-4]
            if found:
                return rows + found
        return rows

    @override
    def begin(self, limit: Limit) -> Flags:
        return self._fitted(super().begin(limit))

    @override
    def repaired(self, share: Costs, limit: Limit) -> Flags:
        return self._fitted(super().repaired(share, limit))

    def _fitted(self, chosen: Flags) -> Flags:
        """Change more until all layers fit: by layers from the bottom, or one choice for each path; what is cheaper."""
        ways = (self._by_layers(chosen), self._by_paths(chosen))
        return min(ways, key=lambda way: float(self.cost[way].sum()))

    def _by_layers(self, chosen: Flags) -> Flags:
        chosen = self._movable(chosen)
        cut, adopt, relieve, _ = self.parts(chosen.astype(np.float64))
        numbers = np.nonzero(self._marked & (cut + adopt + relieve < 0.5))[0]
        arcs = self._with_costs(numbers)
        if np.any(arcs.tangled(np.ones(arcs.count, np.bool_))):
            return chosen  # Time was over.
        pin = np.where(self.moved(chosen.astype(np.float64)), FREE, self._pin)
        nobody = np.full(arcs.size, np.inf)
        pinned = Pinned(arcs, pin, nobody, arcs.places(np.ones(arcs.count, np.bool_)))
        more = numbers[pinned.begin(Limit(None))[: arcs.count]]
        return self._changed(chosen, more)

    def _movable(self, chosen: Flags) -> Flags:
        """Move layers that arcs which nobody can change do not allow."""
        every = np.ones(len(self.cost))
        every[: self._moves] = np.isfinite(self.cost[: self._moves])
        chosen = chosen.copy()
        while True:
            every[self._moves :] = chosen[self._moves :]
            late = self.late(every)[1]
            if not late:
                return chosen
            ends = np.array(late[0].ends) + self._moves
            chosen[ends[np.argmin(self.cost[ends])]] = True

    def _by_paths(self, chosen: Flags) -> Flags:
        chosen = chosen.copy()
        while late := self.late(chosen.astype(np.float64))[1]:
            for row in map(self._row, late):
                if not chosen[row].any():
                    chosen[row[np.argmin(self.cost[row])]] = True
        return self._with_pillars(chosen)

    def _changed(self, chosen: Flags, arcs: Numbers) -> Flags:
        count, open_cost = self._arcs.count, self._open[arcs]
        by_relief = self._options.relieve[arcs] < open_cost
        by_cut = ~by_relief & (self._arcs.cost[arcs] <= open_cost)
        chosen = chosen.copy()
        chosen[arcs[by_cut]] = True
        chosen[arcs[~by_relief & ~by_cut] + count] = True
        chosen[arcs[by_relief] + 2 * count] = True
        return self._with_pillars(chosen)
