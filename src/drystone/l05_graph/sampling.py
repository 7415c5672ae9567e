"""Availability by trying: a cross-check of the exact number, and what is left where that is too large.

Sixty-four trials are one machine word, so that one pass over the model evaluates all of them at once. Single points of
failure are taken as working and multiplied in afterwards, so that trials are spent on what is not known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drystone.l05_graph.availability import Availabilities
from drystone.l05_graph.circles import circles_of
from drystone.l05_graph.model import Component, Model
from drystone.l05_graph.requirements import Choice, Requirements

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What trials gave.

    Attributes:
        value: The share of the time in which it works.
        error: One standard deviation of that; at most, where no trial failed.
        trials: How many.
    """

    value: float
    error: float
    trials: int


def sampled(model: Model, name: str, *, trials: int = 640_000, seed: int = 0) -> Estimate:
    """Estimate how available a component can be.

    Args:
        model: Where.
        name: Which.
        trials: How many, rounded up to a multiple of 64.
        seed: The same gives the same.

    Raises:
        ComponentNotFound: There is no such component.
    """
    required = Requirements(model)
    sure = Availabilities(model, required=required).single_points(name)
    words = -(-trials // 64)
    chance = np.random.default_rng(seed)
    full = np.full(words, np.uint64(0xFFFFFFFFFFFFFFFF))
    root = model.numbers[name]
    alone: dict[int, Words] = {model.numbers[one]: full for one in sure}
    works: dict[int, Words] = {}
    for together in circles_of([root], required.below.__getitem__):
        for one in together:
            if one not in alone:
                alone[one] = _up(model.components[one], words, chance)
            works[one] = full
        _settle(together, required, alone, works)
    count = words * 64
    hits = int(np.bitwise_count(works[root]).sum())
    share = hits / count
    factor = math.prod(_share(model.by_name[one]) for one in sure)
    # Without a failure among n trials, 3 / n is exceeded once in twenty times ("rule of three").
    spread = math.sqrt(share * (1 - share) / count) if 0 < hits < count else 3 / count
    is_certain = len(alone) == len(sure)
    return Estimate(
        value=factor * share, error=0.0 if is_certain else factor * spread, trials=count
    )


def _share(component: Component) -> float:
    return 1.0 if component.availability is None else component.availability


def _up(component: Component, words: int, chance: np.random.Generator) -> Words:
    up = chance.random(words * 64) < _share(component)
    return np.packbits(up).view(np.uint64)


def _settle(
    together: Sequence[int],
    required: Requirements,
    alone: Mapping[int, Words],
    works: dict[int, Words],
) -> None:
    """Take away what does not work, until nothing more goes: the greatest fixpoint."""
    changed = True
    while changed:
        changed = False
        for one in together:
            found = alone[one]
            for target in required.single.targets[one]:
                found = found & works[target]
            for choice in required.of.get(one, ()):
                found = found & _enough(choice, works)
            if not np.array_equal(found, works[one]):
                works[one] = found
                changed = len(together) > 1


def _enough(choice: Choice, works: Mapping[int, Words]) -> Words:
    size = len(works[choice.members[0]])
    count = [np.zeros(size, np.uint64) for _ in range(choice.at_least)]
    for member in choice.members:
        for place in range(choice.at_least - 1, 0, -1):
            count[place] |= count[place - 1] & works[member]
        count[0] |= works[member]
    return count[-1]
