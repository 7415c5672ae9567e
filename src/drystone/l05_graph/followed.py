"""Some of the dependencies of a model by number, and ways over them.

In plain lists: this is asked of thousands of components at each deploy, where numpy is never loaded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property

from drystone.l05_graph.circles import circles
from drystone.l05_graph.model import Dependency, Model, Path
from drystone.l05_graph.needs import turned


class Followed:
    """Those dependencies of a model that matter.

    Args:
        model: Which.
        lines: The places of those among the dependencies of the model, ascending.

    Attributes:
        model: The model.
        targets: Where the dependencies of each component lead.
        lines: The place of each of these, in the same order.
    """

    def __init__(self, model: Model, lines: Iterable[int]) -> None:
        self.model = model
        sources, targets = model.ends
        self.lines: list[list[int]] = [[] for _ in model.components]
        for line in lines:
            self.lines[sources[line]].append(line)
        self.targets = [[targets[line] for line in every] for every in self.lines]

    def over(self, number: int) -> list[Dependency]:
        """Return the dependencies of a component, in the order of its targets."""
        every = self.model.dependencies
        return [every[line] for line in self.lines[number]]

    @cached_property
    def order(self) -> list[list[int]]:
        """The strong components, each after all that it needs."""
        return circles(self.targets)

    @cached_property
    def tangled(self) -> list[list[int]]:
        """The strong components of more than one member."""
        return [together for together in self.order if len(together) > 1]

    @cached_property
    def users(self) -> list[list[int]]:
        """Who needs each component, as often as it does."""
        return turned(self.targets)

    def within(self, inside: Collection[int]) -> Iterator[Dependency]:
        """Return the dependencies between some components."""
        every = self.model.dependencies
        for member in sorted(inside):
            for line, target in zip(self.lines[member], self.targets[member], strict=True):
                if target in inside:
                    yield every[line]

    def path(self, source: int, target: int, inside: Collection[int]) -> Path:
        """Return a shortest path between two members of a strong component, inside of it."""
        came: dict[int, tuple[int, int]] = {}
        waiting = deque([source])
        while waiting and target not in came:
            here = waiting.popleft()
            for line, there in zip(self.lines[here], self.targets[here], strict=True):
                if there in inside and there not in came:
                    came[there] = (here, line)
                    waiting.append(there)
        steps, here = [], target
        while here != source:
            here, line = came[here]
            steps.append(self.model.dependencies[line])
        return tuple(reversed(steps))


class Ways:
    """Shortest ways from everywhere to some components.

    Args:
        followed: Over which dependencies.
        goals: Where to.
    """

    def __init__(self, followed: Followed, goals: Iterable[int]) -> None:
        self._followed = followed
        self._steps = dict.fromkeys(goals, 0)
        waiting = deque(self._steps)
        while waiting:
            here = waiting.popleft()
            for user in followed.users[here]:
                if user not in self._steps:
                    self._steps[user] = self._steps[here] + 1
                    waiting.append(user)

    def path(self, source: int) -> Path:
        """Return the way from a component, of equally long ones the first as written; empty when there is none."""
        found, here = [], source
        steps = self._steps
        for left in range(steps.get(source, 0) - 1, -1, -1):
            targets = self._followed.targets[here]
            at = next(at for at, there in enumerate(targets) if steps.get(there) == left)
            found.append(self._followed.over(here)[at])
            here = targets[at]
        return tuple(found)
