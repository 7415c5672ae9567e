"""The worst of all that each component needs, for all components in one pass, with a path to it.

Strong components come after all that they need, so that the worst of each is known when it is asked for; a member of one
shares the worst with all others. Linear in the number of dependencies. By numbers of components and in plain lists: this
is asked of thousands of components at each deploy, where numpy is never loaded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property

from drystone.l05_graph.circles import circles
from drystone.l05_graph.model import Dependency, Model
from drystone.l05_graph.needs import turned
from drystone.l05_graph.reach import Path


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
    def users(self) -> list[list[int]]:
        """Who needs each component."""
        return turned(self.targets)

    def within(self, inside: Collection[int]) -> list[Dependency]:
        """Return the dependencies between some components."""
        found: list[Dependency] = []
        for member in sorted(inside):
            pairs = zip(self.over[member], self.targets[member], strict=True)
            found += [one for one, target in pairs if target in inside]
        return found

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
    """Shortest ways from everywhere to some components.

    Args:
        followed: Over which dependencies.
        goals: Where to.
        through: Which components may lie on the way; all when None.
    """

    def __init__(
        self, followed: Followed, goals: Iterable[int], through: Callable[[int], bool] | None = None
    ) -> None:
        self._followed = followed
        self._steps = dict.fromkeys(goals, 0)
        waiting = deque(self._steps)
        while waiting:
            here = waiting.popleft()
            for user in followed.users[here]:
                if user not in self._steps and (through is None or through(user)):
                    self._steps[user] = self._steps[here] + 1
                    waiting.append(user)

    def path(self, source: int) -> Path:
        """Return the way from a component, of equally long ones the first as written; empty when there is none."""
        found, here = [], source
        steps = self._steps
        over, targets = self._followed.over, self._followed.targets
        for left in range(steps.get(source, 0) - 1, -1, -1):
            at = next(at for at, there in enumerate(targets[here]) if steps.get(there) == left)
            found.append(over[here][at])
            here = targets[here][at]
        return tuple(found)


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
        self._ways: dict[float, Ways] = {}
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
        worst = self.worst
        wanted = worst[number]
        if wanted not in self._ways:
            goals = [one for one, value in enumerate(self._values) if value == wanted == worst[one]]
            self._ways[wanted] = Ways(self._followed, goals, lambda one: worst[one] == wanted)
        return self._ways[wanted].path(number)
