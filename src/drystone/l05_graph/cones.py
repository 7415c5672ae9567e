"""The worst of all that each component needs, for all components in one pass, with a path to it.

Strong components come after all that they need, so that the worst of each is known when it is asked for; a member of one
shares the worst with all others. Linear in the number of dependencies. By numbers of components and in plain lists: this
is asked of thousands of components at each deploy, where numpy is never loaded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property

from drystone.l05_graph.circles import circles
from drystone.l05_graph.model import Dependency, Model
from drystone.l05_graph.reach import Path

UNSEEN = -1


class Followed:
    """Those dependencies of a model that matter.

    Args:
        model: Which.
        dependencies: Those, in the order of the model.

    Attributes:
        over: The dependencies of each component.
        targets: Where each leads, in the same order.
    """

    def __init__(self, model: Model, dependencies: Iterable[Dependency]) -> None:
        numbers = model.numbers
        self.numbers = numbers
        self.over: list[list[Dependency]] = [[] for _ in numbers]
        self.targets: list[list[int]] = [[] for _ in numbers]
        for one in dependencies:
            source = numbers[one.source]
            self.over[source].append(one)
            self.targets[source].append(numbers[one.target])

    @cached_property
    def order(self) -> list[list[int]]:
        """The strong components, each after all that it needs."""
        return circles(self.targets)

    @cached_property
    def tangled(self) -> list[list[int]]:
        """The strong components of more than one member."""
        return [together for together in self.order if len(together) > 1]

    @cached_property
    def users(self) -> tuple[list[list[int]], list[list[Dependency]]]:
        """Who needs each component, and by which dependencies in the same order."""
        found: list[list[int]] = [[] for _ in self.targets]
        by: list[list[Dependency]] = [[] for _ in self.targets]
        for source, (every, targets) in enumerate(zip(self.over, self.targets, strict=True)):
            for one, target in zip(every, targets, strict=True):
                found[target].append(source)
                by[target].append(one)
        return found, by

    def path(self, source: int, target: int, inside: Collection[int]) -> Path:
        """Return a shortest path between two members of a strong component, inside of it."""
        came: dict[int, tuple[int, Dependency]] = {}
        waiting = deque([source])
        while waiting and target not in came:
            here = waiting.popleft()
            for one, there in zip(self.over[here], self.targets[here], strict=True):
                if there in inside and there not in came:
                    came[there] = (here, one)
                    waiting.append(there)
        steps, here = [], target
        while here != source:
            here, one = came[here]
            steps.append(one)
        return tuple(reversed(steps))


class Ways:
    """Shortest ways from everywhere to one component.

    Args:
        followed: Over which dependencies.
        goal: Where to.
    """

    def __init__(self, followed: Followed, goal: int) -> None:
        self._numbers = followed.numbers
        self._next: dict[int, Dependency | None] = {goal: None}
        users, by = followed.users
        waiting = deque([goal])
        while waiting:
            here = waiting.popleft()
            for user, over in zip(users[here], by[here], strict=True):
                if user not in self._next:
                    self._next[user] = over
                    waiting.append(user)

    def path(self, source: int) -> Path:
        """Return the way from a component; empty when there is none."""
        steps, step = [], self._next.get(source)
        while step is not None:
            steps.append(step)
            step = self._next[self._numbers[step.target]]
        return tuple(steps)


class Cones:
    """What is worst among all that a component needs, itself included.

    Args:
        followed: Where, and which dependencies are followed.
        values: How bad each component is.

    Attributes:
        worst: How bad the worst is, for each component.
    """

    def __init__(self, followed: Followed, values: Sequence[float]) -> None:
        self._values, self._followed = values, followed
        self.worst = list(values)
        self._steps = [UNSEEN] * len(values)
        self._next: list[Dependency | None] = [None] * len(values)
        targets, worst = followed.targets, self.worst
        for together in followed.order:
            if len(together) == 1:
                one = together[0]
                for target in targets[one]:
                    worst[one] = max(worst[one], worst[target])
            else:
                # Members count by themselves as yet; all others below are known.
                highest = max(max(map(worst.__getitem__, (m, *targets[m]))) for m in together)
                for one in together:
                    worst[one] = highest

    def path(self, number: int) -> Path:
        """Return a shortest path to one that is as bad; empty when it is the component itself."""
        if self._steps[number] == UNSEEN:
            self._lead(self.worst[number])
        steps, step = [], self._next[number]
        while step is not None:
            steps.append(step)
            step = self._next[self._followed.numbers[step.target]]
        return tuple(steps)

    def _lead(self, worst: float) -> None:
        """Let all that have this worst know the way, those that are nearest first."""
        near = [number for number, value in enumerate(self._values) if value == worst]
        waiting = deque(one for one in near if self.worst[one] == worst)
        for one in waiting:
            self._steps[one] = 0
        users, by = self._followed.users
        while waiting:
            here = waiting.popleft()
            for user, over in zip(users[here], by[here], strict=True):
                if self._steps[user] == UNSEEN and self.worst[user] == worst:
                    self._steps[user], self._next[user] = self._steps[here] + 1, over
                    waiting.append(user)
