"""Strong components of a model without numpy, for what must be light: checks at deploy, in the agent.

Tarjan (SIAM J. Comput. 1(2), 1972) with an explicit stack, so that a chain of any length is no matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence


def circles(vertices: Iterable[str], below: Callable[[str], Sequence[str]]) -> list[list[str]]:
    """Return the strong components, each after all that it needs.

    Args:
        vertices: Where to begin; what they reach belongs to it.
        below: What a vertex needs.
    """
    search = _Search(below)
    for vertex in vertices:
        if vertex not in search.low:
            search.begin(vertex)
    return search.found


class _Search:
    def __init__(self, below: Callable[[str], Sequence[str]]) -> None:
        self.low: dict[str, int] = {}
        self.found: list[list[str]] = []
        self._below = below
        self._open: dict[str, None] = {}

    def begin(self, root: str) -> None:
        path = [(root, self._enter(root), iter(self._below(root)))]
        while path:
            vertex, number, rest = path[-1]
            for target in rest:
                if target not in self.low:
                    path.append((target, self._enter(target), iter(self._below(target))))
                    break
                if target in self._open:
                    self.low[vertex] = min(self.low[vertex], self.low[target])
            else:
                path.pop()
                if path:
                    above = path[-1][0]
                    self.low[above] = min(self.low[above], self.low[vertex])
                if self.low[vertex] == number:
                    self._close(vertex)

    def _enter(self, vertex: str) -> int:
        number = self.low[vertex] = len(self.low)
        self._open[vertex] = None
        return number

    def _close(self, vertex: str) -> None:
        members = []
        while True:
            member, _ = self._open.popitem()
            members.append(member)
            if member == vertex:
                break
        self.found.append(members)
