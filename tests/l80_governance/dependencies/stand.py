"""The view, asked directly or over a port, with models of every sort."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from starlette.applications import Starlette
from typing_extensions import override

from drystone.l00_kernel.clock import ManualClock
from drystone.l05_graph.arrays import BITS
from drystone.l05_graph.forms import survey
from drystone.l05_graph.model import Component, Dependency, Model, checked, phases
from drystone.l05_graph.words import Phase, Risk, Strength
from drystone.l80_governance.dependencies.app import application
from drystone.l80_governance.dependencies.errors import VersionNotFound
from drystone.l80_governance.dependencies.kept import Version
from drystone.l80_governance.dependencies.models import Durations, FileModels, Models, Took
from drystone.testing.asgi import Answer, ask
from drystone.testing.graphs.planted import planted

CASES = Path(__file__).parent / "cases"
HISTORICAL = Path(__file__).parents[2] / "l05_graph/cases"
TODAY = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOSTILE_NAMES = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>'",
    "\u202egnp.exe",
    "مرحبا بالعالم",
    "x" * 10_000,
    "a&b;&lt;c",
    "javascript:alert(1)",
    "../../etc/passwd",
    "two\nlines\x07and a bell",
    "with space",
    "?name=other#here",
    "😀" * 70,
    "%3Cscript%3E",
    "{{7*7}}",
)


class Held(Models):
    """One model, held in memory."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.kept: dict[str, Model] = {}

    @override
    async def current(self) -> Model:
        return self.model

    @override
    async def versions(self) -> Sequence[Version]:
        return []

    @override
    async def version(self, name: str) -> Model:
        if name not in self.kept:
            raise VersionNotFound(f"no version {name!r} was kept")
        return self.kept[name]

    @override
    async def keep(self, model: Model, *, title: str, author: str) -> Version:
        raise NotImplementedError


class Timed(FileModels):
    """A survey, beside which proxies timed the calls of orders to its database."""

    took = Took(0.0042, 0.25, None)

    @override
    async def durations(self) -> Durations:
        return {("orders", "database"): self.took}


def view_of(model: Model) -> Starlette:
    return application(Held(model), clock=ManualClock(TODAY))


async def settled(app: Starlette, path: str) -> Answer:
    """Ask until what a page computes is there, as a page without scripts does."""
    async with asyncio.timeout(60):
        while (answer := await ask(app, path)).status == 202:  # noqa: ASYNC110 - a thread
            await asyncio.sleep(0.05)
    return answer


def shop() -> Model:
    return survey.read((CASES / "shop.yaml").read_bytes())


def historical(name: str) -> Model:
    return survey.read((HISTORICAL / f"{name}.yaml").read_bytes())


def hostile() -> Model:
    """Return a model whose every word attacks a page."""
    components = [
        Component(name=name, owner=f"<b>{at}", note=f"<script>{at}\n</script>", products=("<i>",))
        for at, name in enumerate(HOSTILE_NAMES)
    ]
    dependencies = [
        Dependency(source=one, target=other, strength=Strength.HARD, without="<u>", note="'\"><")
        for one, other in zip(HOSTILE_NAMES, (*HOSTILE_NAMES[1:], HOSTILE_NAMES[0]), strict=True)
    ]
    return checked(components, dependencies, title="</title><script>alert(2)</script>")


def grown(**more: int) -> Model:
    """Return a layered model with planted dependencies against the grain."""
    found = planted(**more)
    graph = found.graph
    components = [
        Component(
            name=name,
            layer=int(found.layer[at]),
            owner=f"team {at % 26}",
            tier=at % 4,
            slo=0.99 if at % 9 == 0 else None,
            availability=0.9999,
        )
        for at, name in enumerate(graph.names)
    ]
    risks = list(Risk)
    every: dict[object, Dependency] = {}
    for edge in range(len(graph.source)):
        one = Dependency(
            source=graph.names[graph.source[edge]],
            target=graph.names[graph.target[edge]],
            strength=Strength.HARD if graph.hard[edge] else Strength.SOFT,
            at=phases(phase for phase in Phase if graph.at[edge] & BITS[phase]),
            cost_remove=float(graph.cost[edge]),
            risk=risks[edge % len(risks)],
        )
        every.setdefault(one.key, one)
    return checked(components, every.values(), title="Planted")
