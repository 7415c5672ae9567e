"""Of alternatives, those that are spare: without them enough others come up, so that they hold nobody up.

A member of a group alone closes no tangle if enough others can serve without what would need it. Which ones can is told by
the recovery of everything (:mod:`~drystone.l05_graph.climb`): of a group that is met there, the first that serve are
counted on and the others are spare. Nothing that is counted on then leads into a tangle, unless all ways do.

Pure Python: the agent asks this at a deploy.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property

from drystone.l05_graph.climb import NOT_YET, climbed
from drystone.l05_graph.model import Dependency, Model
from drystone.l05_graph.needs import Needs, needs_of
from drystone.l05_graph.words import BEFORE_SERVING, Strength


def spare_lines(needs: Needs, wave: Sequence[int]) -> set[int]:
    """Return the places of the dependencies that are spare.

    Args:
        needs: Of a model or graph.
        wave: In which wave of its recovery each component serves.
    """
    found: set[int] = set()
    for group in needs.alternatives:
        places = range(len(group.members))
        served = [place for place in places if wave[group.members[place]] != NOT_YET]
        if len(served) >= group.enough:
            served.sort(key=lambda place: wave[group.members[place]])
            counted = set(served[: group.enough])
            found.update(group.lines[place] for place in places if place not in counted)
    return found


class Counted:
    """The dependencies of a model that hold their sources up: hard ones, and alternatives that are not spare.

    Args:
        model: Which.
        without: The places of dependencies that are done without; an alternative among them counts as one that serves.
    """

    def __init__(self, model: Model, without: Collection[int] = ()) -> None:
        self._model, self._without = model, frozenset(without)
        every = model.dependencies if model.groups else ()
        members = [one for one in every if one.group is not None]
        self._early = {
            (one.source, one.group) for one in members if not BEFORE_SERVING.isdisjoint(one.at)
        }

    @cached_property
    def lines(self) -> list[int]:
        """The places of those among the dependencies of the model, ascending."""
        every, soft, without = self._model.dependencies, Strength.SOFT, self._without
        alone = [
            line
            for line, one in enumerate(every)
            if one.strength is not soft and one.group is None and line not in without
        ]
        if not self._model.groups:
            return alone
        needs = needs_of(self._model, [every[line].key for line in without])
        among = {line for group in needs.alternatives for line in group.lines}
        return sorted([*alone, *(among - spare_lines(needs, climbed(needs).wave))])

    def is_early(self, one: Dependency) -> bool:
        """Whether it counts before its source serves; alternatives do when one of them does."""
        if one.group is not None and (one.source, one.group) in self._early:
            return True
        return not BEFORE_SERVING.isdisjoint(one.at)
