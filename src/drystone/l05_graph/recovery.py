"""The order in which components come back after all of them are lost.

A component comes in the wave after the last one that it cannot start or run without. A circle of needs while serving
comes up together, in one wave. A circle with a need before serving in it never comes up by itself, and neither does what
rests on it. Of alternatives, enough suffice: that is a fixpoint over *and* and *or* (Dowling and Gallier, J. Logic
Programming 1(3), 1984), by the strong components of all needs, so that the whole takes linear time unless alternatives lie
inside a circle. Soft dependencies keep nobody waiting for a wave; they order the components inside one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from heapq import heappop, heappush

import msgspec

from drystone.l05_graph.climb import NOT_YET, Climb, climbed
from drystone.l05_graph.model import Key, Model
from drystone.l05_graph.needs import Needs, needs_of
from drystone.l05_graph.words import Phase


class Together(msgspec.Struct, frozen=True):
    """Components that need each other while they serve, and so come up together.

    Attributes:
        members: By name.
        circle: One way around, from a member back to itself, each needing the next.
    """

    members: tuple[str, ...]
    circle: tuple[str, ...]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Who comes back when, and who never does.

    Attributes:
        waves: The first wave first; what most others need comes first in each.
        together: Groups whose members come up at once, each inside one wave.
        because: What each component that never comes up waits for.
        deadlocks: Circles of such waiting, each from a member back to itself; at least one of its needs counts before
            serving, so that nobody in it can be the first.
    """

    waves: tuple[tuple[str, ...], ...]
    together: tuple[Together, ...] = ()
    because: Mapping[str, str] = {}
    deadlocks: tuple[tuple[str, ...], ...] = ()

    @property
    def never(self) -> tuple[str, ...]:
        """What never comes up, by name."""
        return tuple(sorted(self.because))

    def path(self, name: str) -> tuple[str, ...]:
        """Return why a component never comes up: what it waits for, and so on, until a circle closes.

        Raises:
            KeyError: It does come up.
        """
        path, seen = [name], {name}
        while True:
            path.append(self.because[path[-1]])
            if path[-1] in seen:
                return tuple(path)
            seen.add(path[-1])


def recovery_order(
    model: Model, waived: Collection[Key] = (), at: Collection[Phase] = tuple(Phase)
) -> Order:
    """Put components into waves, each after what it cannot start or run without.

    Args:
        model: The components; what is not known about a dependency counts as hard.
        waived: Dependencies that are done without (break-glass), each by its key.
        at: The phases that count. A machine that starts again needs nothing that is needed at build time.
    """
    needs = needs_of(model, waived, at)
    return _told(needs, climbed(needs))


def _told(needs: Needs, climb: Climb) -> Order:
    names = needs.names
    waves: list[list[int]] = [[] for _ in range(max(climb.wave, default=NOT_YET) + 1)]
    for one, wave in enumerate(climb.wave):
        if wave != NOT_YET:
            waves[wave].append(one)
    because = {one: need for one, need in climb.because.items() if climb.wave[one] == NOT_YET}
    users = [0] * needs.size
    for one in range(needs.size):
        for need in set(needs.hard(one)):
            users[need] += 1
    return Order(
        waves=tuple(tuple(names[one] for one in _arranged(wave, needs, users)) for wave in waves),
        together=tuple(
            Together(tuple(sorted(names[one] for one in group)), _circle_in(group, needs))
            for group in sorted(climb.together, key=lambda group: min(names[one] for one in group))
        ),
        because={names[one]: names[need] for one, need in because.items()},
        deadlocks=_circles_of(because, names),
    )


def _arranged(wave: list[int], needs: Needs, users: list[int]) -> list[int]:
    """Order a wave: what others in it like to have first, then what most need, then by name."""
    inside = set(wave)
    wants = {one: {n for n in needs.soft[one] if n in inside and n != one} for one in wave}
    wanted_by: dict[int, list[int]] = {}
    for one, every in wants.items():
        for need in every:
            wanted_by.setdefault(need, []).append(one)
    every_one = sorted(wave, key=lambda one: (-users[one], needs.names[one]))
    rank = {one: number for number, one in enumerate(every_one)}
    ready = [rank[one] for one in every_one if not wants[one]]  # ascending, so it is a heap
    found: list[int] = []
    done: set[int] = set()
    left = iter(every_one)
    while len(found) < len(wave):
        # A circle of soft dependencies is entered at the component that most others need.
        one = every_one[heappop(ready)] if ready else next(n for n in left if n not in done)
        if one in done:
            continue
        done.add(one)
        found.append(one)
        for user in wanted_by.get(one, ()):
            wants[user].discard(one)
            if not wants[user] and user not in done:
                heappush(ready, rank[user])
    return found


def _circle_in(group: list[int], needs: Needs) -> tuple[str, ...]:
    """Follow needs inside a group, from the first by name, until a circle closes."""
    inside = set(group)
    following = {one: next(n for n in needs.hard(one) if n in inside) for one in group}
    (circle,) = _circles_of(following, needs.names)[:1]
    return circle


def _circles_of(
    following: Mapping[int, int], names: Collection[str]
) -> tuple[tuple[str, ...], ...]:
    """Return every circle of a mapping, each from its first name; what leads into one is left out."""
    named = tuple(names)
    seen: dict[int, int] = {}
    found = []
    for start in sorted(following):
        here, path = start, []
        while here in following and here not in seen:
            seen[here] = start
            path.append(here)
            here = following[here]
        if here in following and seen[here] == start:
            circle = [named[one] for one in path[path.index(here) :]]
            first = circle.index(min(circle))
            found.append((*circle[first:], *circle[:first], circle[first]))
    return tuple(sorted(found))
