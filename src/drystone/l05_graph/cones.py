"""The worst of all that each component needs, for all components in one pass, with a path to it.

Strong components come after all that they need, so that the worst of each is known when it is asked for; a member of one
shares the worst with all others. Linear in the number of dependencies, but for a queue inside of circles.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from math import inf

from drystone.l05_graph.circles import circles_of
from drystone.l05_graph.model import Component, Dependency, Model
from drystone.l05_graph.reach import Matters, Path


class Followed:
    """The dependencies of a model that matter, and its strong components by them, each after all that it needs.

    Args:
        model: Which.
        matters: Which dependencies are followed.
    """

    def __init__(self, model: Model, matters: Matters) -> None:
        self.model = model
        self.needs = {
            name: [one for one in every if matters(one)] for name, every in model.needs.items()
        }
        self.targets = {name: [one.target for one in every] for name, every in self.needs.items()}
        self.order = circles_of(model.by_name, lambda name: self.targets.get(name, ()))


class Cones:
    """What is worst among all that a component needs, itself included.

    Args:
        followed: Where, and which dependencies are followed.
        value: How bad a component is.
    """

    def __init__(self, followed: Followed, value: Callable[[Component], float]) -> None:
        self._value = {name: value(one) for name, one in followed.model.by_name.items()}
        self._needs, self._targets = followed.needs, followed.targets
        self._worst: dict[str, float] = {}
        self._steps: dict[str, int] = {}
        self._next: dict[str, Dependency | None] = {}
        for together in followed.order:
            self._settle(together)

    def worst(self, name: str) -> float:
        """Return how bad the worst is."""
        return self._worst[name]

    def path(self, name: str) -> Path:
        """Return a shortest path to one that is as bad; empty when it is the component itself."""
        steps = []
        step = self._next[name]
        while step is not None:
            steps.append(step)
            step = self._next[step.target]
        return tuple(steps)

    def _settle(self, together: Sequence[str]) -> None:
        """Find the worst of a strong component, and of each member the way to it."""
        inside = set(together)
        values = [self._value[name] for name in together]
        for name in together:
            # Members have no worst yet; all others below do.
            values += [self._worst.get(one, -inf) for one in self._targets.get(name, ())]
        worst = max(values)
        self._worst.update(dict.fromkeys(together, worst))
        users: dict[str, list[Dependency]] = {}
        waiting: list[tuple[int, int, str, Dependency | None]] = []
        for name in together:
            if self._value[name] == worst:
                waiting.append((0, len(waiting), name, None))
                continue
            for one in self._needs.get(name, ()):
                if one.target in inside:
                    users.setdefault(one.target, []).append(one)
                elif self._worst[one.target] == worst:
                    waiting.append((self._steps[one.target] + 1, len(waiting), name, one))
        self._lead(waiting, users)

    def _lead(
        self,
        waiting: list[tuple[int, int, str, Dependency | None]],
        users: Mapping[str, Sequence[Dependency]],
    ) -> None:
        """Let the members know the way, those that are nearest first."""
        heapq.heapify(waiting)
        count = len(waiting)
        while waiting:
            steps, _, name, over = heapq.heappop(waiting)
            if name in self._next:
                continue
            self._steps[name], self._next[name] = steps, over
            for one in users.get(name, ()):
                count += 1
                heapq.heappush(waiting, (steps + 1, count, one.source, one))
