"""The cheapest choice that meets every demand, when the demands are too many to write down.

A demand is a set of choices of which at least one must be made, such as the arcs of a cycle of which one must be cut. There
are too many cycles to list, so they are found lazily: solve for those known, look for one that the solution leaves unmet,
add it, repeat (Grötschel, Jünger and Reinelt, Operations Research 32(6), 1984). Every solution on the way is a lower
bound. First fractional solutions (linear programs), whose bounds rise fast; then whole ones (HiGHS through
``scipy.optimize.milp``), which end in a proof. Choices whose reduced cost exceeds the gap are in no better answer and are
left out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, linprog, milp
from scipy.sparse import coo_matrix, csr_matrix

from drystone.l05_graph.arcs import grain
from drystone.l05_graph.arrays import Costs, Flags, Numbers
from drystone.l05_graph.limits import Limit, OnProgress, Progress

TOLERANCE = 1e-6
SOLVERS, EXACT = 1e-7, 1e-12
"""Shares of a bound by which it may be wrong: one of a solver, and one that is a sum of what is known."""
TURN, NODE = 8, 500
"""So many steps a turn of a solver takes for each row and column, and a node of a search tree for each coefficient, about."""
MOST_ROUNDS = 400
STALL = 12
"""After so many rounds without a better bound the linear programs have said what they can."""
FIRST_KICKS = 100
KICKS = 2000


class Puzzle(ABC):
    """What demands are met by which choices.

    Attributes:
        cost: Of each choice; infinite when it cannot be made.
        needs: Rows of two choices of which the first may only be made with the second.
        searches: Whether it knows how to search around the best choices.
        relaxes: Whether it is small enough for linear programs.
    """

    cost: Costs
    needs: Numbers = np.zeros((0, 2), np.int64)
    searches: bool = False
    relaxes: bool = True

    @abstractmethod
    def begin(self, limit: Limit) -> Flags:
        """Return choices that meet every demand, quickly."""

    def first(self, limit: Limit) -> tuple[float, list[Numbers]]:
        """Return a lower bound and demands to begin with."""
        del limit
        return 0.0, []

    @abstractmethod
    def unmet(self, share: Costs, best: Flags, limit: Limit) -> list[Numbers]:
        """Return demands whose choices are made to less than one in all; none only if all are met or time is over."""

    @abstractmethod
    def repaired(self, share: Costs, limit: Limit) -> Flags:
        """Return choices that meet every demand, like these."""

    def improved(self, best: Flags, kicks: int, goal: float, limit: Limit) -> Flags:
        """Search around the best choices, if it can; returns some that are no dearer."""
        del kicks, goal, limit
        return best


@dataclass(frozen=True)
class Answer:
    """Choices that meet every demand.

    Attributes:
        chosen: Which are made.
        cost: What they cost.
        bound: None cost less.
        demands: Those that show it: what they cost to meet is the bound, or all that are known.
    """

    chosen: Flags
    cost: float
    bound: float
    demands: list[Numbers]


class Prover:
    """Looks for the cheapest choices and for the proof that they are.

    Args:
        puzzle: What is to be met.
        limit: When to end.
        on_progress: Called whenever the cost or the bound may have changed.
    """

    def __init__(self, puzzle: Puzzle, limit: Limit, on_progress: OnProgress) -> None:
        self._puzzle = puzzle
        self._limit = limit
        self._on_progress = on_progress
        self._grain = grain(puzzle.cost)
        self._rows: list[Numbers] = []
        self._known: set[bytes] = set()
        self._reduced = np.where(np.isfinite(puzzle.cost), puzzle.cost, 0.0)
        self._relaxed = 0.0
        self._duals: Costs = np.zeros(0)
        self.bound = 0.0
        self.best = puzzle.begin(limit)
        self.cost = self._price(self.best)

    def prove(self) -> Answer:
        """Search until the best is proven or time is over."""
        self._tell("looking for short cycles")
        bound, rows = self._puzzle.first(self._limit.part(0.3))
        self._add(rows)
        self._raise(bound)
        if not self._rows and self._puzzle.relaxes:
            nothing = np.zeros(len(self._puzzle.cost))
            self._add(self._puzzle.unmet(nothing, self.best, self._limit))
        self._kick(FIRST_KICKS)
        if self._puzzle.relaxes:
            self._relax(self._limit.part(0.6))
            if not self._is_done:
                self._kick(KICKS, self._limit.part(0.3))
            self._branch()
        while self._puzzle.searches and not self._is_done and self._limit.left < float("inf"):
            self._kick(KICKS)
        return Answer(self.best, self.cost, min(self.bound, self.cost), self._proof())

    @property
    def _is_proven(self) -> bool:
        return self.cost - self.bound <= max(self._grain / 2, TOLERANCE * max(1.0, self.cost) / 10)

    @property
    def _is_done(self) -> bool:
        return self._is_proven or self._limit.is_over

    def _price(self, chosen: Flags) -> float:
        return float(self._puzzle.cost[chosen].sum())

    def _tell(self, doing: str) -> None:
        bound = min(self.bound, self.cost)
        self._on_progress(
            Progress(doing=doing, cost=self.cost, bound=bound, elapsed=self._limit.elapsed)
        )

    def _take(self, chosen: Flags) -> None:
        cost = self._price(chosen)
        if cost < self.cost:
            self.best, self.cost = chosen, cost

    def _raise(self, bound: float, error: float = EXACT) -> None:
        """Raise the bound to one that may be wrong by a share of it."""
        safe = bound - error * max(1.0, abs(bound))
        if self._grain:
            safe = float(np.ceil(safe / self._grain - TOLERANCE) * self._grain)
        self.bound = max(self.bound, min(safe, self.cost))

    def _add(self, rows: Iterable[Numbers]) -> int:
        added = 0
        for row in rows:
            ordered = np.unique(row)
            key = ordered.tobytes()
            if key not in self._known:
                self._known.add(key)
                self._rows.append(ordered)
                added += 1
        return added

    def _kick(self, kicks: int, limit: Limit | None = None) -> None:
        if self._is_done or not self._puzzle.searches:
            return
        limit = limit or self._limit
        self._take(self._puzzle.improved(self.best, kicks, self.bound, limit))
        self._tell("trying other orders")

    def _relax(self, limit: Limit) -> None:
        """Raise the bound by linear programs."""
        stalled, last = 0, -1.0
        for number in range(MOST_ROUNDS):
            if self._is_done or limit.is_over or not self._rows:
                return
            share = self._linear(limit)
            if share is None:
                return
            if number % 3 == 0 or np.all(np.abs(share - np.rint(share)) < TOLERANCE):
                self._take(self._puzzle.repaired(share, limit))
            self._tell("raising the bound")
            if self._is_done:
                return
            found = self._puzzle.unmet(share, self.best, limit)
            stalled = stalled + 1 if self._relaxed < last * (1 + 1e-5) else 0
            last = max(last, self._relaxed)
            if not self._add(found) or stalled > STALL:
                return

    def _linear(self, limit: Limit) -> Costs | None:
        columns, matrix, least = self._program()
        solved = limit.attend(
            lambda: linprog(  # type: ignore[call-overload]  # The stubs know no sparse matrix here.
                self._puzzle.cost[columns],
                A_ub=-matrix,
                b_ub=-least,
                bounds=(0, None),
                method="highs",
                options=_ends(limit, "maxiter", TURN * (len(least) + len(columns))),
            )
        )
        if solved is None:
            return None
        limit.spend((solved.nit or 0) * TURN * (len(least) + len(columns)))
        if solved.status != 0:
            return None
        share = np.zeros(len(self._puzzle.cost))
        share[columns] = np.clip(solved.x, 0.0, 1.0)
        # What any prices of the demands prove, by duality, whatever the solver's tolerances were.
        duals = np.maximum(-solved.ineqlin.marginals, 0.0)
        reduced = self._puzzle.cost[columns] - matrix.T @ duals
        self._relaxed = float(duals @ least + np.minimum(reduced, 0.0).sum())
        self._raise(self._relaxed)
        self._reduced = self._puzzle.cost.copy()
        self._reduced[columns] = reduced
        self._duals = duals[: len(self._rows)]
        return share

    def _program(self) -> tuple[Numbers, csr_matrix, Costs]:
        """Return the choices that occur, the coefficients of all demands in them, and the least sum of each."""
        every = np.concatenate(self._rows)
        occurs = np.zeros(len(self._puzzle.cost), np.bool_)
        occurs[every] = True
        needs = self._puzzle.needs[occurs[self._puzzle.needs[:, 0]]]
        columns = np.unique(np.concatenate((every, needs[:, 1])))
        lengths = [len(row) for row in self._rows]
        rows = np.repeat(np.arange(len(lengths)), lengths)
        more = np.arange(len(needs)) + len(lengths)
        at = np.searchsorted(columns, np.concatenate((every, needs[:, 0], needs[:, 1])))
        rows = np.concatenate((rows, more, more))
        ones = np.ones(len(every))
        data = np.concatenate((ones, -np.ones(len(needs)), np.ones(len(needs))))
        shape = (len(lengths) + len(needs), len(columns))
        matrix = coo_matrix((data, (rows, at)), shape=shape).tocsr()
        least = np.concatenate((np.ones(len(lengths)), np.zeros(len(needs))))
        return columns, matrix, least

    def _branch(self) -> None:
        """Prove by whole numbers."""
        while self._rows and not self._is_done:
            columns, matrix, least = self._program()
            spare = self.cost - self._relaxed - self._grain + TOLERANCE * max(1.0, self.cost)
            useful = (self._reduced[columns] <= spare) | (self._puzzle.cost[columns] == 0)
            solved = self._solve_whole(columns, matrix, least, useful)
            if solved is None:
                break
            if solved.status == 2:  # Infeasible: nothing better than the best is left.
                self._raise(self.cost)
                break
            bound = solved.mip_dual_bound
            if bound and np.isfinite(bound):  # None when it never came so far.
                self._raise(bound, SOLVERS)
            if solved.x is None:
                break
            share = np.zeros(len(self._puzzle.cost))
            share[columns] = np.rint(solved.x)
            self._take(self._puzzle.repaired(share, self._limit))
            self._tell("proving")
            if solved.status != 0:
                break
            if not self._add(self._puzzle.unmet(share, self.best, self._limit)):
                break

    def _solve_whole(
        self, columns: Numbers, matrix: csr_matrix, least: Costs, useful: Flags
    ) -> OptimizeResult | None:
        limit = self._limit.part(0.8 if self._limit.left > 2 else 0.9)
        ends = _ends(limit, "node_limit", NODE * matrix.nnz)
        solved = self._limit.attend(
            lambda: milp(
                self._puzzle.cost[columns],
                constraints=LinearConstraint(matrix, least, np.full(len(least), np.inf)),
                bounds=Bounds(np.zeros(len(columns)), useful.astype(np.float64)),
                integrality=np.ones(len(columns), np.int64),
                options={"mip_rel_gap": 0.0, **ends},  # type: ignore[arg-type]  # A name chosen as it runs.
            )
        )
        if solved is not None:
            nodes = max(1, solved.mip_node_count or 0)
            self._limit.spend(nodes * NODE * matrix.nnz)
        return solved

    def _proof(self) -> list[Numbers]:
        tight = self._duals > TOLERANCE
        if len(tight) == len(self._rows) and self._relaxed > self.bound - max(
            self._grain, TOLERANCE
        ):
            return [row for row, is_tight in zip(self._rows, tight, strict=True) if is_tight]
        return list(self._rows)


def _ends(limit: Limit, name: str, steps: float) -> dict[str, Any]:
    """Return how a solver is told to end: by time, or after so many turns that each take so many steps."""
    if np.isfinite(limit.steps_left):
        return {name: max(1, int(limit.steps_left / steps))}
    return {"time_limit": limit.solver_seconds} if np.isfinite(limit.left) else {}
