"""Puzzles whose open demands are found for whole choices: fractions are rounded, and what that leaves open is asked for."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from typing_extensions import override

from drystone.l05_graph.arrays import Costs, Flags, Numbers
from drystone.l05_graph.covering import Puzzle
from drystone.l05_graph.limits import Limit

MOST_DEMANDS = 400
SHARES = (0.01, 0.2, 0.5)
"""A fractional solution is rounded up from here, from the first that leaves something open."""


class Rounding(Puzzle):
    """A puzzle that tells what whole choices leave open."""

    @abstractmethod
    def open(self, chosen: Flags) -> list[Numbers]:
        """Return demands of which no choice is made, as choices that can be; none only if all are met."""

    @override
    def unmet(self, share: Costs, best: Flags, limit: Limit) -> list[Numbers]:
        del best
        for least in SHARES:
            made = share >= least
            rows: list[Numbers] = []
            while len(rows) < MOST_DEMANDS and not (rows and limit.is_over):
                demands = self.open(made)
                if not demands:
                    break
                rows += [row for row in demands if share[row].sum() < 1 - 1e-4]
                # What has been found is out of the way, so that the next ones have nothing in common with it.
                for row in demands:
                    made[row] = True
            if rows:
                return rows
        return []

    @override
    def begin(self, limit: Limit) -> Flags:
        return self.repaired(np.zeros(len(self.cost)), limit)

    @override
    def repaired(self, share: Costs, limit: Limit) -> Flags:
        chosen = share > 0.5
        while demands := self.open(chosen):
            if limit.is_over:
                return np.isfinite(self.cost)
            for row in demands:
                chosen[row[np.argmin(self.cost[row])]] = True
        return self.trimmed(chosen, limit.part(0.3))

    def trimmed(self, chosen: Flags, limit: Limit) -> Flags:
        """Take back what is not needed, the dearest first."""
        made = np.nonzero(chosen)[0]
        for choice in made[np.argsort(-self.cost[made], kind="stable")].tolist():
            if limit.is_over:
                break
            chosen[choice] = False
            if self.open(chosen):
                chosen[choice] = True
        return chosen
