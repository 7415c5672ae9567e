"""Strong components without numpy, for what must be light: checks at deploy, in the agent.

Tarjan (SIAM J. Comput. 1(2), 1972) with an explicit stack, so that a chain of any length is no matter.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

Vertex = TypeVar("Vertex", bound=Hashable)


def circles_of(
    vertices: Iterable[Vertex], below: Callable[[Vertex], Sequence[Vertex]]
) -> list[list[Vertex]]:
    """Return the strong components of what some vertices reach, each after all that it needs.

    Args:
        vertices: Where to begin; what they reach belongs to it.
        below: What a vertex needs.
    """
    numbers = {name: number for number, name in enumerate(vertices)}
    names = list(numbers)
    following: list[list[int]] = []
    for name in names:  # It grows while it is walked.
        mine = []
        for other in below(name):
            number = numbers.setdefault(other, len(names))
            if number == len(names):
                names.append(other)
            mine.append(number)
        following.append(mine)
    return [[names[number] for number in together] for together in circles(following)]


def circles(following: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the strong components by number, each after all that it leads to.

    Args:
        following: Where each vertex leads.
    """
    size = len(following)
    index = [0] * size  # 0 for one that was not seen; the least index on the stack that it leads to
    on_stack = [False] * size
    stack: list[int] = []
    found: list[list[int]] = []
    count = 0
    for root in range(size):
        if index[root]:
            continue
        path = [(root, iter(following[root]), count + 1)]
        count += 1
        index[root] = count
        stack.append(root)
        on_stack[root] = True
        while path:
            here, rest, mine = path[-1]
            for other in rest:
                if not index[other]:
                    count += 1
                    index[other] = count
                    stack.append(other)
                    on_stack[other] = True
                    path.append((other, iter(following[other]), count))
                    break
                if on_stack[other] and index[other] < index[here]:
                    index[here] = index[other]
            else:
                path.pop()
                if path and index[here] < index[path[-1][0]]:
                    index[path[-1][0]] = index[here]
                if index[here] == mine:
                    found.append(_taken(stack, here, on_stack))
    return found


def _taken(stack: list[int], until: int, on_stack: list[bool]) -> list[int]:
    taken = []
    while True:
        one = stack.pop()
        on_stack[one] = False
        taken.append(one)
        if one == until:
            return taken
