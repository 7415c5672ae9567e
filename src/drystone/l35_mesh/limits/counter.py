"""Who counts: a port with two drivers, this process's memory and a store that several limiters share."""

from __future__ import annotations

import abc
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import TypeAlias

from typing_extensions import override

from drystone.l35_mesh.limits.domain import Verdict
from drystone.l35_mesh.limits.memory import Counted, Memory, decide
from drystone.l35_mesh.limits.policies import Policies

Outcome: TypeAlias = tuple[bool, list[Verdict]]
"""Whether a call may go on, and what each limit that is about it says."""


def microseconds() -> int:
    """Return the time by the machine's monotonic clock, which nobody can set."""
    return time.monotonic_ns() // 1000


class Counter(abc.ABC):
    """Knows the limits, and decides by them."""

    @abc.abstractmethod
    def load(self, policies: Policies) -> None:
        """Count by other policies from now on; what was used stays used."""

    @abc.abstractmethod
    def limits(self, service: str) -> Mapping[str, Counted] | None:
        """Return the limits of a service by name; None for one that nobody has told of."""

    @abc.abstractmethod
    def all(self) -> Iterable[Counted]:
        """Return every limit."""

    @abc.abstractmethod
    def decide(
        self, limits: Sequence[Counted], names: Sequence[str], cost: int
    ) -> Outcome | Awaitable[Outcome]:
        """Decide about a call: it uses up of each limit that is about it, or of none.

        Args:
            limits: Those that are about it; all of one service, and at least one.
            names: For each, who is counted.
            cost: What the call counts for.

        Raises:
            NobodyCounts: What was used cannot be looked up; only when the outcome has to be waited for.
        """


class InMemory(Counter):
    """Counts by itself; what was used is gone with the process.

    Args:
        memory: Where it is kept.
    """

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = memory or Memory()

    @override
    def load(self, policies: Policies) -> None:
        self._memory.load(policies, microseconds())

    @override
    def limits(self, service: str) -> Mapping[str, Counted] | None:
        return self._memory.limits(service)

    @override
    def all(self) -> Iterable[Counted]:
        return self._memory.all()

    @override
    def decide(self, limits: Sequence[Counted], names: Sequence[str], cost: int) -> Outcome:
        return decide(limits, names, cost, microseconds())
