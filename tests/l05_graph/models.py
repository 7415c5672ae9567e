"""Models that tests are made with.

They are drawn from a seed: a model with all its attributes is too much for Hypothesis to draw value by value.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeVar

from hypothesis import strategies as st

from drystone.l05_graph.model import (
    Acceptance,
    BreakGlass,
    Component,
    Dependency,
    Estimate,
    Group,
    Model,
    Pillar,
    checked,
    phases,
)
from drystone.l05_graph.words import Kind, Phase, Plane, Resilience, Risk, Strength

HOSTILE = [
    *["a", "b", ":", "#", "[", "{", "'", '"', "\\", "|", ",", ";", "=", "@", "-", "?", "!", "%"],
    *[
        "true",
        "No",
        "1",
        "1e3",
        "a: b",
        "a #b",
        " a ",
        "\n",
        "\ta",
        "a|b",
        "a\\",
        "~",
        "null",
        "<<",
    ],
    *["\u2028", "\x85", "\ufeff", "äß", "→", "😀", "\x07", "<b>&", "-->", "]];", "x" * 300, "\r"],
]
Value = TypeVar("Value")


class Drawing:
    """Draws parts of models."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - not a secret

    def text(self) -> str:
        if self.random.random() < 0.5:
            return self.random.choice(HOSTILE)
        return "".join(self.random.choices(string.printable, k=self.random.randint(1, 5)))

    def maybe(self, draw: Callable[[], Value]) -> Value | None:
        return draw() if self.random.random() < 0.4 else None

    def duration(self) -> timedelta:
        unit = self.random.choice(["microseconds", "seconds", "minutes", "hours", "days"])
        return timedelta(**{unit: self.random.randint(0, 3000)})

    def cost(self) -> float:
        return self.random.choice([0.0, 1.0, 2.5, 1e-7, 1e17, self.random.random()])

    def share(self) -> float:
        return self.random.choice([1.0, 0.999, 1e-9, 1 - self.random.random()])

    def texts(self) -> tuple[str, ...]:
        return tuple(self.text() for _ in range(self.random.randint(0, 2)))

    def note(self) -> str:
        return self.maybe(self.text) or ""

    def component(self, name: str) -> Component:
        pick = self.random.choice
        return Component(
            name=name,
            kind=pick(list(Kind)),
            owner=self.maybe(self.text),
            crew=self.maybe(self.text),
            tier=self.maybe(lambda: self.random.randint(0, 4)),
            layer=self.maybe(lambda: self.random.randint(-2, 40)),
            plane=self.maybe(lambda: pick(list(Plane))),
            regions=self.texts(),
            resilience=self.maybe(lambda: pick(list(Resilience))),
            slo=self.maybe(self.share),
            availability=self.maybe(self.share),
            recovery=self.maybe(lambda: Estimate(*sorted(self.duration() for _ in range(3)))),
            break_glass=self.maybe(
                lambda: BreakGlass(takes=self.duration(), cost=self.cost(), runbook=self.note())
            ),
            pillar=self.maybe(lambda: Pillar(cost=self.cost(), adoption=self.cost())),
            products=self.texts(),
            note=self.note(),
        )

    def dependency(self, source: str, target: str, *, rich: bool) -> Dependency:
        pick = self.random.choice
        group = pick([None, None, "g", "h: |"])
        strength = pick([Strength.HARD, *Strength])
        if not rich:
            return Dependency(source=source, target=target, strength=strength, group=group)
        return Dependency(
            source=source,
            target=target,
            strength=strength,
            at=phases(self.random.sample(list(Phase), self.random.randint(1, 3))),
            risk=pick(list(Risk)),
            group=group,
            cost_remove=self.maybe(self.cost),
            cost_soften=self.maybe(self.cost),
            can_change=pick([True, False]),
            without=self.note(),
            accepted=self.maybe(
                lambda: Acceptance(
                    by=self.text(),
                    reason=self.text(),
                    until=date(2000, 1, 1) + timedelta(self.random.randint(0, 9999)),
                )
            ),
            note=self.note(),
        )

    def model(self, most: int, most_edges: int, *, rich: bool) -> Model:
        if rich:
            drawn = [self.text() for _ in range(self.random.randint(1, most))]
            names = list(dict.fromkeys(name for name in drawn if name.strip())) or ["a"]
            every = [self.component(name) for name in names]
        else:
            names = list(string.ascii_lowercase[: self.random.randint(1, most)])
            every = [Component(name=n, availability=self.random.random() or 1) for n in names]
        found: dict[object, Dependency] = {}
        for _ in range(self.random.randint(0, most_edges)):
            source, target = self.random.choice(names), self.random.choice(names)
            if source != target:
                one = self.dependency(source, target, rich=rich)
                found.setdefault(one.key, one)
        counts: dict[tuple[str, str], int] = {}
        for one in found.values():
            if one.group is not None:
                counts[one.source, one.group] = counts.get((one.source, one.group), 0) + 1
        groups = [
            Group(component=source, name=name, at_least=self.random.randint(1, count))
            for (source, name), count in counts.items()
        ]
        title = self.note() if rich else ""
        return checked(every, found.values(), groups, title=title)


def models(*, most: int = 5, most_edges: int = 10, rich: bool = True) -> st.SearchStrategy[Model]:
    """Draw small models: with any attributes and hostile names, or plain and named a, b, c …."""
    seeds = st.integers(0, 2**32)
    return seeds.map(lambda seed: Drawing(seed).model(most, most_edges, rich=rich))
