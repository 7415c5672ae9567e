"""Binary decision diagrams of monotone functions: of which components must work for something to work.

Reduced and ordered (Bryant, "Graph-based algorithms for Boolean function manipulation", IEEE Trans. Comp. C-35(8), 1986), so
that equal functions have equal numbers. Nodes are numbered such that children come before parents: sums over a diagram are
loops over numbers. Nothing recurses, because there may be more variables than Python has room for calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

FALSE, TRUE = 0, 1
_LAST = 1 << 60


class TooLarge(Exception):
    """The diagram has more nodes than were allowed."""


class Decisions:
    """Functions of the same variables, which are ordered as they are first used.

    Args:
        most: So many nodes at most.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._names: list[str] = []
        self._variables: dict[str, int] = {}
        self._level = [_LAST, _LAST]
        self._without = [FALSE, TRUE]
        self._with = [FALSE, TRUE]
        self._nodes: dict[tuple[int, int, int], int] = {}
        self._both: dict[tuple[int, int], int] = {}
        self._either: dict[tuple[int, int], int] = {}

    def variable(self, name: str) -> int:
        """Return the function that is true while one component works."""
        if name not in self._variables:
            self._variables[name] = self._node(len(self._names), FALSE, TRUE)
            self._names.append(name)
        return self._variables[name]

    def both(self, one: int, other: int) -> int:
        """Return the function that is true when both are."""
        return self._combined(one, other, FALSE, TRUE, self._both)

    def either(self, one: int, other: int) -> int:
        """Return the function that is true when one of the two is."""
        return self._combined(one, other, TRUE, FALSE, self._either)

    def at_least(self, count: int, functions: Sequence[int]) -> int:
        """Return the function that is true when so many are."""
        found = [TRUE] + [FALSE] * count
        for function in functions:
            for place in range(count, 0, -1):
                found[place] = self.either(found[place], self.both(found[place - 1], function))
        return found[count]

    def independent(self, functions: Iterable[int]) -> list[int]:
        """Conjoin functions that have a variable in common.

        Returns:
            Functions of which no two have one; all are true exactly when all given ones are.
        """
        parts: list[tuple[set[int], int]] = []
        for function in functions:
            levels = {self._level[node] for node in self._below(function)}
            apart = []
            for others, part in parts:
                if levels.isdisjoint(others):
                    apart.append((others, part))
                else:
                    levels |= others
                    function = self.both(function, part)  # noqa: PLW2901 - it grows
            parts = [*apart, (levels, function)]
        return [part for _, part in parts]

    def probability(self, function: int, works: Mapping[str, float]) -> float:
        """Return how probable it is when each component works with its probability."""
        return self._probabilities(function, works)[function]

    def slopes(self, function: int, works: Mapping[str, float]) -> dict[str, float]:
        """Return how fast its probability grows with that of each component."""
        value = self._probabilities(function, works)
        reached = dict.fromkeys(value, 0.0)
        reached[function] = 1.0
        found: dict[str, float] = {}
        for node in reversed(self._below(function)):
            name = self._names[self._level[node]]
            low, high, weight = self._without[node], self._with[node], reached[node]
            found[name] = found.get(name, 0.0) + weight * (value[high] - value[low])
            reached[low] += weight * (1 - works[name])
            reached[high] += weight * works[name]
        return found

    def _probabilities(self, function: int, works: Mapping[str, float]) -> dict[int, float]:
        value = {FALSE: 0.0, TRUE: 1.0}
        for node in self._below(function):
            share = works[self._names[self._level[node]]]
            value[node] = share * value[self._with[node]] + (1 - share) * value[self._without[node]]
        return value

    def _below(self, function: int) -> list[int]:
        """Return the inner nodes of a function, children first."""
        found: set[int] = set()
        waiting = [function]
        while waiting:
            node = waiting.pop()
            if node > TRUE and node not in found:
                found.add(node)
                waiting += (self._without[node], self._with[node])
        return sorted(found)

    def _node(self, level: int, without: int, with_it: int) -> int:
        if without == with_it:
            return without
        key = (level, without, with_it)
        found = self._nodes.get(key)
        if found is None:
            found = self._nodes[key] = len(self._level)
            if found > self._most:
                raise TooLarge
            self._level.append(level)
            self._without.append(without)
            self._with.append(with_it)
        return found

    def _combined(
        self, one: int, other: int, zero: int, unit: int, known: dict[tuple[int, int], int]
    ) -> int:
        """Combine two functions by an operation with a zero and a unit, from the leaves up."""

        def done(one: int, other: int) -> int | None:
            if other in (one, unit):
                return one
            if one == unit:
                return other
            if zero in (one, other):
                return zero
            return known.get((one, other) if one < other else (other, one))

        found = done(one, other)
        waiting = [] if found is not None else [(one, other)]
        while waiting:
            a, b = waiting[-1]
            level = min(self._level[a], self._level[b])
            a0, a1 = self._children(a, level)
            b0, b1 = self._children(b, level)
            low, high = done(a0, b0), done(a1, b1)
            if low is None:
                waiting.append((a0, b0))
            if high is None:
                waiting.append((a1, b1))
            if low is not None and high is not None:
                waiting.pop()
                found = self._node(level, low, high)
                known[(a, b) if a < b else (b, a)] = found
        assert found is not None  # noqa: S101 - the last node that was made is the wanted one
        return found

    def _children(self, node: int, level: int) -> tuple[int, int]:
        if self._level[node] == level:
            return self._without[node], self._with[node]
        return node, node
