"""Blocks for the dependency graph: how a service comes back, and which risks somebody has accepted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from typing_extensions import override

from drystone.l25_deployer.descriptor.block import Block, Rule
from drystone.l25_deployer.descriptor.quantities import Duration, Factor
from drystone.l25_deployer.descriptor.words import Day, Words


class Recovery(Block, frozen=True, kw_only=True):
    """How long it takes to bring the service back when all that it needs is there; one duration stands for all three."""

    SHORT: ClassVar[tuple[str, ...]] = ("least", "likely", "most")
    ALSO_CALLED: ClassVar[dict[str, str]] = {"min": "least", "mode": "likely", "max": "most"}

    least: Annotated[Duration, "at least"]
    likely: Annotated[Duration, "most likely"]
    most: Annotated[Duration, "at most"]

    @override
    def mistakes(self) -> Iterator[Rule]:
        if not self.least <= self.likely <= self.most:
            yield Rule(
                "most", "least, likely and most must not fall", "write for example {least: 10m, …}"
            )


class BreakGlass(Block, frozen=True, kw_only=True):
    """How the service is brought back without what it needs, by hand."""

    SHORT: ClassVar[tuple[str, ...]] = ("takes",)

    takes: Annotated[Duration, "how long that takes"]
    cost: Annotated[Factor, "what it costs, in the unit of all costs"] = 1.0
    runbook: Annotated[Words | None, "where it is written"] = None


class Acceptance(Block, frozen=True, kw_only=True):
    """A risk that somebody has accepted, until a day."""

    ALSO_CALLED: ClassVar[dict[str, str]] = {
        "owner": "by",
        "who": "by",
        "why": "reason",
        "because": "reason",
        "expires": "until",
        "expiry": "until",
    }

    by: Annotated[Words, "who accepts it"]
    reason: Annotated[Words, "why"]
    until: Annotated[Day, "the last day of it"]
