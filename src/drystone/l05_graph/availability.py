"""How available a component can be at best, from what it needs.

Components fail independently, each works by itself for its share of the time (1 where nobody has said), and a component
works when it does so by itself and each of its :mod:`~drystone.l05_graph.requirements` is met. Circles of needs at run time
work together (the greatest fixpoint). Then the availability is the probability of a monotone function of independent
events, in which a dependency that is shared counts once. It is found exactly:

1. *Single points of failure* are found for all at once, one bit for each component: who falls with whom is the least
   fixpoint of "fewer members work than are needed". They must all work, so their shares multiply.
2. What remains given that all of those work falls apart into requirements that have nothing in common; their
   probabilities multiply.
3. Each part is a binary decision diagram (Bryant, IEEE Trans. Comp. C-35(8), 1986), whose probability and derivatives
   (Birnbaum's importance, 1969) are found in one pass down and one up.

A product of shares is an estimate, not a measurement: failures are not independent when a region fails. It is useful as
what cannot be exceeded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property

import msgspec

from drystone.l05_graph.circles import circles, circles_of
from drystone.l05_graph.decisions import TRUE, Decisions, TooLarge
from drystone.l05_graph.model import Model
from drystone.l05_graph.requirements import Requirement, requirements

MOST_NODES = 200_000


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """How available a component can be.

    Attributes:
        component: Which.
        highest: Share of the time in which it can work at most.
        lowest: A share that it reaches, by the model; the same as ``highest`` when that is exact.
        single_points: The components that it falls with, itself first, those that are least available next.
        shares: The part of its unavailability that each component would save by never failing, largest first; only of those
            that have a part. They sum to about 1 when failures are rare.
        unsaid: What takes part without that anybody has said how available it is.
        slo: What it promises.
    """

    component: str
    highest: float
    lowest: float
    single_points: tuple[str, ...]
    shares: tuple[tuple[str, float], ...]
    unsaid: tuple[str, ...]
    slo: float | None

    @property
    def is_exact(self) -> bool:
        """Whether it is the number itself, not two numbers around it."""
        return self.highest == self.lowest

    @property
    def can_hold(self) -> bool | None:
        """Whether the promise can be kept; None when nothing is promised."""
        return None if self.slo is None else self.slo <= self.highest * (1 + 1e-12)


class Availabilities:
    """What can be said about the availability of the components of a model.

    Args:
        model: Which.
        most_nodes: The largest decision diagram; for what needs a larger one, two numbers are given instead of one.
    """

    def __init__(self, model: Model, *, most_nodes: int = MOST_NODES) -> None:
        self._model = model
        self._required = requirements(model)
        self._most = most_nodes
        numbers, names = model.numbers, list(model.by_name)
        below = [[numbers[member] for member in self._below(name)] for name in names]
        self._order = [[names[one] for one in together] for together in circles(below)]
        self._alone = {
            name: 1.0 if one.availability is None else one.availability
            for name, one in model.by_name.items()
        }
        self._must = self._musts()
        self._bytes = len(self._alone) // 8 + 1
        self._eighths: dict[tuple[int, int], float] = {}

    def _below(self, name: str) -> list[str]:
        return [member for need in self._required.get(name, ()) for member in need.members]

    def single_points(self, name: str) -> list[str]:
        """Return the components that one falls with, itself first, the least available next.

        Raises:
            ComponentNotFound: There is no such component.
        """
        self._model.component(name)
        every = [one for one in self._named(self._must[name]) if one != name]
        return [name, *sorted(every, key=lambda one: (self._alone[one], one))]

    def bound(self, name: str) -> float:
        """Return a share of the time that it cannot exceed, without looking at alternatives: quick."""
        found = 1.0
        for place, byte in enumerate(self._must[name].to_bytes(self._bytes, "little")):
            if byte:
                found *= self._eighth(place, byte)
        return found

    def weakest(self, name: str) -> tuple[int, str]:
        """Return how many others a component falls with, and which of all is the least available; of equal ones itself."""
        bits = self._must[name]
        least = next(one for one, number in self._by_weakness if bits >> number & 1)
        return bits.bit_count() - 1, name if self._alone[name] == self._alone[least] else least

    @cached_property
    def _by_weakness(self) -> list[tuple[str, int]]:
        every = self._model.numbers.items()
        return sorted(every, key=lambda one: (self._alone[one[0]], one[0]))

    def _eighth(self, place: int, byte: int) -> float:
        """Return the share in which those of eight components work that a byte names; there are few different ones."""
        found = self._eighths.get((place, byte))
        if found is None:
            some = self._model.components[8 * place : 8 * place + 8]
            shares = [self._alone[one.name] for bit, one in enumerate(some) if byte >> bit & 1]
            found = self._eighths[place, byte] = math.prod(shares)
        return found

    def of(self, name: str) -> Availability:
        """Return how available a component can be.

        Raises:
            ComponentNotFound: There is no such component.
        """
        singles = self.single_points(name)
        all_up = math.prod(self._alone[one] for one in singles)
        rest, saved, is_exact = self._rest(name)
        highest = all_up * rest
        lowest = highest if is_exact else self._lowest(name)
        shares = {one: highest / self._alone[one] - highest for one in singles}
        shares.update({one: all_up * more for one, more in saved.items()})
        lost = 1 - highest
        parts = [(one, more / lost) for one, more in shares.items() if more > 0 and lost > 0]
        return Availability(
            component=name,
            highest=highest,
            lowest=lowest,
            single_points=tuple(singles),
            shares=tuple(sorted(parts, key=lambda part: (-part[1], part[0]))),
            unsaid=tuple(
                one for one in self._cone(name) if self._model.by_name[one].availability is None
            ),
            slo=self._model.component(name).slo,
        )

    def _musts(self) -> dict[str, int]:
        """Find whom each falls with, as bits by the numbers of the model."""
        found = {name: 1 << number for name, number in self._model.numbers.items()}
        for together in self._order:
            changed = True
            while changed:
                changed = False
                for name in together:
                    bits = found[name]
                    for need in self._required.get(name, ()):
                        if len(need.members) == 1:
                            bits |= found[need.members[0]]
                        else:
                            bits |= _lost(need, found)
                    if bits != found[name]:
                        found[name] = bits
                        changed = len(together) > 1
        return found

    def _named(self, bits: int) -> list[str]:
        digits = bin(bits)[:1:-1]
        found, place = [], digits.find("1")
        while place >= 0:
            found.append(self._model.components[place].name)
            place = digits.find("1", place + 1)
        return found

    def _cone(self, name: str) -> list[str]:
        return [one for together in circles_of([name], self._below) for one in together]

    def _rest(self, root: str) -> tuple[float, dict[str, float], bool]:
        """Return the probability that the root works given that its single points of failure do.

        Returns:
            The probability, what it would be more if a component never failed, and whether it is exact (1 if not: an
            upper bound).
        """
        sure = self._must[root]
        diagram = Decisions(self._most)
        try:
            parts = self._diagram(root, sure, diagram)
        except TooLarge:
            return 1.0, {}, False
        values = [diagram.probability(part, self._alone) for part in parts]
        whole = math.prod(values)
        saved: dict[str, float] = {}
        for part, value in zip(parts, values, strict=True):
            for one, slope in diagram.slopes(part, self._alone).items():
                saved[one] = slope * (1 - self._alone[one]) * (whole / value if value else 0.0)
        return whole, saved, True

    def _diagram(self, root: str, sure: int, diagram: Decisions) -> list[int]:
        """Return functions without a common variable that are all true exactly when the root works.

        The root works when all of its single points of failure do: when they are up, which is given, and the requirements
        of each are met, of which those work that are such points themselves.
        """
        numbers = self._model.numbers
        cone = circles_of([root], self._below)
        works = {one: TRUE for together in cone for one in together}
        for together in cone:
            open_ones = [name for name in together if not sure >> numbers[name] & 1]
            changed = True
            while changed:
                changed = False
                for name in open_ones:
                    found = diagram.variable(name)
                    for met in self._met(name, works, diagram):
                        found = diagram.both(found, met)
                    if found != works[name]:
                        works[name] = found
                        changed = len(together) > 1
        wanted = [met for name in self._named(sure) for met in self._met(name, works, diagram)]
        return diagram.independent(wanted)

    def _met(self, name: str, works: Mapping[str, int], diagram: Decisions) -> Iterator[int]:
        for need in self._required.get(name, ()):
            met = diagram.at_least(need.at_least, [works[one] for one in need.members])
            if met != TRUE:
                yield met

    def _lowest(self, name: str) -> float:
        """Return the probability that one way of working works: of each requirement, the best members."""
        chosen: dict[str, None] = {name: None}
        waiting = [name]
        while waiting:
            for need in self._required.get(waiting.pop(), ()):
                best = sorted(need.members, key=lambda one: (one not in chosen, -self.bound(one)))
                for one in best[: need.at_least]:
                    if one not in chosen:
                        chosen[one] = None
                        waiting.append(one)
        return math.prod(self._alone[one] for one in chosen)


def _lost(need: Requirement, falls_with: Mapping[str, int]) -> int:
    """Return the bits that more members have than may fail."""
    spare = len(need.members) - need.at_least
    if spare == 0:
        bits = 0
        for member in need.members:
            bits |= falls_with[member]
        return bits
    # Bit by bit at once: ``count[k]`` are those that at least k + 1 members have.
    count = [0] * (spare + 1)
    for member in need.members:
        bits = falls_with[member]
        for place in range(spare, 0, -1):
            count[place] |= count[place - 1] & bits
        count[0] |= bits
    return count[spare]
