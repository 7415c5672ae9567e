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
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from operator import getitem

import msgspec

from drystone.l05_graph.circles import circles_of
from drystone.l05_graph.decisions import TRUE, Decisions, TooLarge
from drystone.l05_graph.falling import falls_with
from drystone.l05_graph.model import Model
from drystone.l05_graph.requirements import Requirements

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


class _Eighth(dict[int, float]):
    """The share of the time in which those of eight components work that a byte names; there are few different ones."""

    def __init__(self, shares: Sequence[float]) -> None:
        super().__init__({0: 1.0})
        self._shares = shares

    def __missing__(self, byte: int) -> float:
        some = (share for bit, share in enumerate(self._shares) if byte >> bit & 1)
        found = self[byte] = math.prod(some)
        return found


class Availabilities:
    """What can be said about the availability of the components of a model.

    Args:
        model: Which.
        most_nodes: The largest decision diagram; for what needs a larger one, two numbers are given instead of one.
        required: What its components require at run time, if that is known already.
    """

    def __init__(
        self,
        model: Model,
        *,
        most_nodes: int = MOST_NODES,
        required: Requirements | None = None,
    ) -> None:
        self._model = model
        self._required = required or Requirements(model)
        self._most = most_nodes
        self._names = list(model.by_name)
        self._alone = {
            name: 1.0 if one.availability is None else one.availability
            for name, one in model.by_name.items()
        }
        self._must = falls_with(self._required)
        shares = list(self._alone.values())
        self._eighths = [_Eighth(shares[at : at + 8]) for at in range(0, len(shares) + 1, 8)]

    def single_points(self, name: str) -> list[str]:
        """Return the components that one falls with, itself first, the least available next.

        Raises:
            ComponentNotFound: There is no such component.
        """
        every = [one for one in self._named(self._must[self._number(name)]) if one != name]
        return [name, *sorted(every, key=lambda one: (self._alone[one], one))]

    def bound(self, name: str) -> float:
        """Return a share of the time that it cannot exceed, without looking at alternatives: quick."""
        return self._bound(self._number(name))

    def _bound(self, number: int) -> float:
        bits = self._must[number].to_bytes(len(self._eighths), "little")
        return math.prod(map(getitem, self._eighths, bits))

    def weakest(self, name: str) -> tuple[int, str]:
        """Return how many others a component falls with, and which of all is the least available; of equal ones itself."""
        bits = self._must[self._number(name)]
        least = next(one for one, number in self._by_weakness if bits >> number & 1)
        return bits.bit_count() - 1, name if self._alone[name] == self._alone[least] else least

    def _number(self, name: str) -> int:
        self._model.component(name)
        return self._model.numbers[name]

    @cached_property
    def _by_weakness(self) -> list[tuple[str, int]]:
        every = self._model.numbers.items()
        return sorted(every, key=lambda one: (self._alone[one[0]], one[0]))

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
            unsaid=tuple(self._unsaid(name)),
            slo=self._model.component(name).slo,
        )

    def _unsaid(self, name: str) -> Iterator[str]:
        for together in self._cone(self._number(name)):
            for one in together:
                if self._model.components[one].availability is None:
                    yield self._names[one]

    def _named(self, bits: int) -> list[str]:
        digits = bin(bits)[:1:-1]
        found, place = [], digits.find("1")
        while place >= 0:
            found.append(self._names[place])
            place = digits.find("1", place + 1)
        return found

    def _cone(self, number: int) -> list[list[int]]:
        """Return the strong components of all that something may need, itself included."""
        return circles_of([number], self._required.below.__getitem__)

    def _rest(self, root: str) -> tuple[float, dict[str, float], bool]:
        """Return the probability that the root works given that its single points of failure do.

        Returns:
            The probability, what it would be more if a component never failed, and whether it is exact (1 if not: an
            upper bound).
        """
        number = self._number(root)
        diagram = Decisions(self._most)
        try:
            parts = self._diagram(number, diagram)
        except TooLarge:
            return 1.0, {}, False
        values = [diagram.probability(part, self._alone) for part in parts]
        whole = math.prod(values)
        saved: dict[str, float] = {}
        for part, value in zip(parts, values, strict=True):
            for one, slope in diagram.slopes(part, self._alone).items():
                saved[one] = slope * (1 - self._alone[one]) * (whole / value if value else 0.0)
        return whole, saved, True

    def _diagram(self, root: int, diagram: Decisions) -> list[int]:
        """Return functions without a common variable that are all true exactly when the root works.

        The root works when all of its single points of failure do: when they are up, which is given, and the requirements
        of each are met, of which those work that are such points themselves.
        """
        cone, sure = self._cone(root), self._must[root]
        works = {one: TRUE for together in cone for one in together}
        for together in cone:
            open_ones = [one for one in together if not sure >> one & 1]
            changed = True
            while changed:
                changed = False
                for one in open_ones:
                    found = diagram.variable(self._names[one])
                    for met in self._met(one, works, diagram):
                        found = diagram.both(found, met)
                    if found != works[one]:
                        works[one] = found
                        changed = len(together) > 1
        certain = [one for together in cone for one in together if sure >> one & 1]
        wanted = [met for one in sorted(certain) for met in self._met(one, works, diagram)]
        return diagram.independent(wanted)

    def _met(self, one: int, works: Mapping[int, int], diagram: Decisions) -> Iterator[int]:
        for target in self._required.single.targets[one]:
            if works[target] != TRUE:
                yield works[target]
        for choice in self._required.of.get(one, ()):
            met = diagram.at_least(choice.at_least, [works[member] for member in choice.members])
            if met != TRUE:
                yield met

    def _lowest(self, name: str) -> float:
        """Return the probability that one way of working works: of each requirement, the best members."""
        chosen: dict[int, None] = {self._number(name): None}
        waiting = list(chosen)
        while waiting:
            one = waiting.pop()
            wanted = [*self._required.single.targets[one]]
            for choice in self._required.of.get(one, ()):
                best = sorted(choice.members, key=lambda m: (m not in chosen, -self._bound(m)))
                wanted += best[: choice.at_least]
            new = dict.fromkeys(other for other in wanted if other not in chosen)
            chosen.update(new)
            waiting += new
        return math.prod(self._alone[self._names[one]] for one in chosen)
